"""Reading a mail as its reader does: the day it names, and the works that it lists."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parsedate_to_datetime

from tests.faults.year.hosts import Look
from tests.faults.year.post import Try

_DAY = re.compile(rb"^\w+day (\d{1,2} \w+ \d{4})\r?$", re.MULTILINE)
_DATE = re.compile(rb"^Date: (.*?)\r?$", re.MULTILINE)
_WORK = re.compile(rb"wk(\d{5})", re.IGNORECASE)
_SOFT_END = re.compile(rb"=\r?\n")


@dataclass(frozen=True)
class Letter:
    """A digest as it was handed over, whatever became of it; `look` composed it."""

    email: str
    message_id: str
    day: date
    dated: datetime
    works: tuple[int, ...]
    tries: tuple[Try, ...]
    looks: tuple[Look, ...]

    @property
    def came(self) -> bool:
        return any(one.taken for one in self.tries)

    @property
    def composed_at(self) -> float:
        """The earliest second at which it may have been composed."""
        return min((look.begun for look in self.looks), default=self.tries[0].steady)


def read_all(by_message: dict[str, list[Try]], looks: Iterable[Look]) -> list[Letter]:
    """All digests that the relay was offered."""
    seen: dict[int, list[Look]] = {}
    for look in looks:
        seen.setdefault(int(look.shown.timestamp()), []).append(look)
    return [
        _read(name, tries, seen)
        for name, tries in by_message.items()
        if name.startswith("<digest.")
    ]


def _read(name: str, tries: list[Try], seen: dict[int, list[Look]]) -> Letter:
    first = tries[0]
    head, _, body = first.content.partition(b"\r\n\r\n")
    body = _SOFT_END.sub(b"", body)
    named, dated = _DAY.search(body), _DATE.search(head)
    assert named is not None and dated is not None, first.content[:3_000]
    at = parsedate_to_datetime(dated[1].decode())
    entries = dict.fromkeys(int(number) for number in _WORK.findall(body))
    return Letter(
        email=first.recipient,
        message_id=name,
        day=datetime.strptime(f"{named[1].decode()} +0000", "%d %B %Y %z").date(),
        dated=at,
        works=tuple(entries),
        tries=tuple(tries),
        looks=tuple(seen.get(int(at.timestamp()), ())),
    )

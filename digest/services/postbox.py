"""The postbox: returned mails one by one, each in a transaction of its own."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from digest.errors import DigestError
from digest.faultpoints import reach
from digest.mail.mailboxes import Found, Mails, Unread, written_at
from digest.mail.returns import ReturnKind, read
from digest.services.bounce import Handled, Means, Outcome, handle
from digest.store.bounces import Bounce, listed
from digest.store.database import reading, transaction

# what is counted, in the order of the summary: one and several of it
COUNTED = {
    "hard": "hard",
    "soft": "soft",
    "policy": "policy",
    "complaint": "complaints",
    "unsubscribe": "unsubscribed",
    "auto-reply": "auto-replies",
    "not ours": "not ours",
    "known already": "known already",
    "out of date": "out of date",
    "other": "other",
    "unreadable": "unreadable",
}
_ONE = {"unsubscribe": "unsubscribed"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What became of one mail: `problem` says why it could not be read, else it was handled."""

    name: str
    handled: Handled | None = None
    problem: str = ""

    @property
    def counts_as(self) -> str:
        """Which of COUNTED it is."""
        if self.handled is None:
            return "unreadable"
        done = self.handled.done
        if done.outcome in (Outcome.NOT_OURS, Outcome.KNOWN, Outcome.STALE):
            return done.outcome.value
        if self.handled.kind is ReturnKind.AUTO_REPLY:
            return "auto-reply"
        if done.outcome is Outcome.NOTHING or done.kind is None:
            return "other"
        return done.kind.value


@dataclass(kw_only=True)
class Summary:
    """How many mails were read and what they were; `problems` of those that could not be."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def add(self, told: Told) -> None:
        """Count one mail."""
        self.counts[told.counts_as] += 1
        if told.problem:
            self.problems.append((told.name, told.problem))

    @property
    def read(self) -> int:
        """How many mails there were."""
        return sum(self.counts.values())

    def as_line(self) -> str:
        """Such as `12 read · 3 hard · 1 soft · 4 auto-replies · 2 not ours`."""
        parts = [f"{self.read} read"]
        for name, several in COUNTED.items():
            if count := self.counts[name]:
                parts.append(f"{count} {_ONE.get(name, name) if count == 1 else several}")
        return " · ".join(parts)


def read_mails(
    engine: Engine,
    mails: Mails,
    means: Means,
    clock: Callable[[], datetime],
    *,
    dry_run: bool = False,
) -> Iterator[Told]:
    """Do what follows from each mail, in one transaction each, and tell of it.

    A mail is marked as done with only after the commit, so that a crash reads it again, which does
    nothing. A dry run does the same and takes it back. Raises StoreError, and MailError of the
    mailbox.
    """
    for mail in mails:
        if isinstance(mail, Unread):
            yield Told(name=mail.name, problem=mail.why)
            continue
        told = _told(engine, mail, means, clock(), dry_run)
        if told.handled and not dry_run:
            reach("services.postbox.handled")
            mail.done()
            reach("services.postbox.marked")
        yield told


def read_mailbox(
    engine: Engine,
    mails: Mails,
    means: Means,
    clock: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
) -> Summary:
    """Read a watched mailbox to its end, or until `stop()` turns true between two mails."""
    summary = Summary()
    with closing(mails):
        for told in read_mails(engine, mails, means, clock):
            summary.add(told)
            if stop():
                break
    return summary


def came_back(engine: Engine, *, email: str = "", limit: int = 50) -> list[Bounce]:
    """What came back, the latest first; `email` is a whole address, `limit` 0 gives all."""
    with reading(engine) as session:
        return listed(session, email=email, limit=limit)


def _told(engine: Engine, mail: Found, means: Means, now: datetime, dry_run: bool) -> Told:
    try:
        returned = read(mail.raw)
        with transaction(engine) as session:
            handled = handle(
                session, returned, means=means, now=now, written_at=written_at(mail.raw)
            )
            if dry_run:
                session.rollback()
    except DigestError:
        raise
    except Exception as exc:  # one mail that nobody foresaw must not stop the others
        return Told(name=mail.name, problem=f"{type(exc).__name__}: {exc}")
    return Told(name=mail.name, handled=handled)

"""Rounds of delivering through a faulty relay, then a mended one, on a clock of their own."""

import time
import tracemalloc
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ssl import SSLContext

from sqlalchemy import Engine

from digest.domain.deliveries import Delivery, State
from digest.domain.relay import Security
from digest.mail.transport import Relay, RelaySettings
from digest.services.deliver import Delivered, Post, deliver
from digest.store import tries
from digest.store.database import reading
from digest.store.ledger_read import list_deliveries
from digest.store.relay import relay_state
from tests.builders import NOON
from tests.faults.servers.smtp import VICTIM, Server
from tests.moody import Sink, options, post_to, queued

OTHERS = tuple(f"reader{n}@example.com" for n in range(4))
FAULTY, MENDED = 3, 12  # rounds
WAITING = (State.QUEUED, State.DEFERRED, State.SENDING)
MEMORY_MOST = 8_000_000


@dataclass
class Village:
    """A victim, others, and the clock that their relay's rounds go by."""

    engine: Engine
    post: Post
    now: datetime = NOON
    words: str = ""
    is_watched: bool = False  # which makes it slower
    peak: int = 0

    def round(self, connections: int = 2) -> Delivered:
        """Deliver what is due, and keep what was said."""
        post = replace(self.post, clock=lambda: self.now, wall=lambda: self.now)
        with _traced(self.is_watched) as peak:
            done = deliver(post, options(connections=connections))
        self.peak = max(self.peak, peak[0])
        self.words += f"{done.relay_error}\n{done.problems}\n"
        return done

    def wait(self) -> None:
        """Let the clock go to when something may happen again."""
        with reading(self.engine) as session:
            due = [row.due_at for row in list_deliveries(session) if row.state in WAITING]
            rest = relay_state(session).pause(self.now)
        at = max([min(due, default=self.now), *([rest] if rest else [])])
        self.now = max(self.now + timedelta(seconds=1), at)

    def ledger(self) -> dict[str, Delivery]:
        with reading(self.engine) as session:
            rows = list_deliveries(session)
            for row in rows:
                told = [one.reply for one in tries.of(session, row.id)]
                self.words += "\n".join([row.reason, *told, ""])
        return {row.email: row for row in rows}

    @property
    def waits(self) -> bool:
        with reading(self.engine) as session:
            return any(row.state in WAITING for row in list_deliveries(session))


def village(engine: Engine, settings: RelaySettings) -> Village:
    queued(engine, VICTIM, *OTHERS)
    post = replace(post_to(engine, Sink()), relay=lambda: Relay(settings))
    return Village(engine, post)


def settings(server: Server, ca_file: str, tls: str, username: str) -> RelaySettings:
    """Those by which the server is spoken to: a minute of patience is a second here."""
    secured = Security.TLS if "implicit" in tls else Security.STARTTLS
    return RelaySettings(
        host="127.0.0.1",
        port=server.port,
        security=secured if tls else Security.NONE,
        username=username or None,
        password="guess" if username else None,
        timeout_s=0.6,
        data_timeout_s=0.6,
        ca_file=ca_file if tls else None,
    )


@dataclass(frozen=True, kw_only=True)
class Story:
    """What became of all mails. `recovered_s` is from the mending to the last mail, by the clock of
    the rounds; `took_s` is how long all of it took in truth.
    """

    ledger: dict[str, Delivery]
    during: Counter[State]
    logins: int
    lost: int
    duplicates: int
    in_doubt: int
    recovered_s: float
    took_s: float


def live_through(place: Village, server: Server, mended_tls: SSLContext | None) -> Story:
    """Rounds with the fault, then without it until nothing waits any more."""
    began = time.perf_counter()
    place.round()
    for _ in range(FAULTY - 1):
        place.wait()
        place.round()
    during = Counter(row.state for email, row in place.ledger().items() if email != VICTIM)
    logins = server.book.logins
    server.fault, server.tls, mended = None, mended_tls, place.now
    for _ in range(MENDED):
        if not place.waits:
            break
        place.wait()
        place.round()
    return replace(
        _judged(place, server),
        during=during,
        logins=logins,
        recovered_s=(place.now - mended).total_seconds(),
        took_s=time.perf_counter() - began,
    )


def _judged(place: Village, server: Server) -> Story:
    ledger, book = place.ledger(), server.book
    taken = Counter(recipient for recipient, _ in book.taken)
    ids = {recipient: {mid for to, mid in book.taken if to == recipient} for recipient in taken}
    for email, row in ledger.items():
        # the server took it once for the ledger's `sent`, and once for each yes that was not heard
        assert taken[email] == book.unheard[email] + (row.state is State.SENT), (email, row)
        assert len(ids.get(email, {""})) == 1  # a second copy can be told by its Message-ID
    return Story(
        ledger=ledger,
        during=Counter(),
        logins=0,
        lost=sum(not taken[e] and row.state is not State.FAILED for e, row in ledger.items()),
        duplicates=sum(count - 1 for count in taken.values()),
        in_doubt=book.unheard.total(),
        recovered_s=0,
        took_s=0,
    )


def controls(words: str) -> set[str]:
    """What may act on a terminal or reorder a line, in texts that were told line by line."""
    return {c for c in words if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs") and c != "\n"}


@contextmanager
def _traced(is_watched: bool) -> Iterator[list[int]]:
    """The most bytes that were held at once within."""
    peak = [0]
    if is_watched:
        tracemalloc.start(1)
    try:
        yield peak
    finally:
        peak[0] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

"""Planted bugs: each puts one wrong rule into the product, and the simulator must find it.

A mutant is a list of exchanges: what is put in place of which name. Each is a mistake that somebody
could well make, and where the product is guarded twice it takes away both guards.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import digest.daemon.steps
import digest.domain.identity
import digest.domain.schedule
import digest.services.compose
import digest.services.plans
import digest.services.senders
import digest.services.subscribe
import digest.store.identities
import digest.store.ledger
import digest.store.outbox
import digest.store.turns
import tests.faults.year.year
from digest.domain.deliveries import Deferred, Failed, InDoubt, NotTried, Sent
from tests.faults.year.store import watched_engine
from tests.faults.year.year import LEAP_YEAR

schedule, senders, ledger = digest.domain.schedule, digest.services.senders, digest.store.ledger
Exchange = tuple[Any, str, Any]
FAR = timedelta(days=9_999)
# clocks go forward in New York and Havana on the 12th, in Berlin on the 26th
BEFORE_GAPS = datetime(2028, 3, 11, tzinfo=UTC)


@dataclass(frozen=True)
class Mutant:
    """A wrong rule: `kinds` are the violations that betray it, `days` how long it takes."""

    name: str
    exchanges: tuple[Exchange, ...]
    kinds: frozenset[str]
    days: int = 4
    start: datetime = LEAP_YEAR

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The bug is in the product within the block, and nothing of it is left afterwards."""
        before = [(thing, name, getattr(thing, name)) for thing, name, _ in self.exchanges]
        _forget()
        try:
            for thing, name, value in self.exchanges:
                setattr(thing, name, value)
            yield
        finally:
            for thing, name, value in before:
                setattr(thing, name, value)
            _forget()


def _forget() -> None:
    """Empty the product's caches: they keep what the rules of that time said."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "digest":
            for one in list(vars(module).values()):
                if callable(clear := getattr(one, "cache_clear", None)):
                    clear()


def _utc_date(_schedule: Any, now: datetime) -> date:
    return now.astimezone(UTC).date()


def _only_at_the_hour(real: Any) -> Any:
    def due_dates(chosen: Any, due_at: datetime, now: datetime) -> Any:
        found = real(chosen, due_at, now)
        is_hour = now.astimezone(ZoneInfo(chosen.timezone)).hour == chosen.hour
        return found if is_hour else replace(found, digest_on=None)

    return due_dates


def _made_up_for(real: Any) -> Any:
    def due_dates(chosen: Any, due_at: datetime, now: datetime) -> Any:
        found = real(chosen, due_at, now)
        return replace(found, digest_on=found.late_on or found.digest_on, late_on=None)

    return due_dates


def _no_gaps(real: Any) -> Any:
    def instant_on(chosen: Any, day: date) -> datetime | None:
        found: datetime | None = real(chosen, day)
        shown = found and found.astimezone(ZoneInfo(chosen.timezone)).hour
        return found if shown == chosen.hour else None

    return instant_on


def _believed(change: Any) -> Any:
    """Sending, with what it ended in taken for something else."""
    real = senders.attempt

    async def attempt(*args: Any) -> Any:
        return change(await real(*args))

    return attempt


def _sent_anyway(result: Any) -> Any:
    return Sent(code=250, reply="marked before it was sent") if _undone(result) else result


def _undone(result: Any) -> bool:
    return isinstance(result, Deferred | NotTried | InDoubt)


def _try_again(result: Any) -> Any:
    return Deferred(code=450, reply=result.reply) if isinstance(result, Failed) else result


def _not_in_doubt(result: Any) -> Any:
    return Deferred(code=450, reply=result.detail) if isinstance(result, InDoubt) else result


def _with_version(real: Any) -> Any:
    def arxiv_id(text: str) -> str | None:
        found, version = real(text), re.search(r"v\d+$", text.strip())
        return found + version[0] if found and version else found

    return arxiv_id


def _leases_of_no_length(real: Any) -> Any:
    return lambda session, now, held_at: real(session, now, held_at + timedelta(days=1))


def _never_given_up(real: Any) -> Any:
    return lambda result, **named: real(result, **named | {"give_up_after": FAR})


def _without_key(real: Any) -> Any:
    def fresh() -> str:
        url: str = real()
        with watched_engine(url).begin() as connection:
            connection.exec_driver_sql("DROP INDEX uq_deliveries_digest")
        return url

    return fresh


def _still_active(session: Any, subscriber_id: Any, **_named: Any) -> Any:
    return digest.services.subscribe.subscribers.by_id(session, subscriber_id)


def _mutant(name: str, kinds: str, *exchanges: Exchange, **more: Any) -> Mutant:
    return Mutant(name, exchanges, frozenset(kinds.split(", ")), **more)


MUTANTS = (
    _mutant("UTC date as key", "wrong date", (schedule, "local_date", _utc_date)),
    _mutant(
        "due only while the hour lasts",
        "no digest",
        (digest.services.plans, "due_dates", _only_at_the_hour(schedule.due_dates)),
    ),
    _mutant(
        "dates slept past made up for",
        "wrong date",
        (digest.services.plans, "due_dates", _made_up_for(schedule.due_dates)),
        days=6,
    ),
    _mutant(
        "hours in a gap of the clock skipped",
        "no digest",
        (schedule, "instant_on", _no_gaps(schedule.instant_on)),
        days=3,
        start=BEFORE_GAPS,
    ),
    _mutant(
        "status not checked again before sending",
        "after an opt-out, while paused",
        (digest.store.turns, "_obstacle", lambda _row, _suppressed: None),
        (digest.store.outbox, "cancel_open", lambda *_args: 0),
        days=8,
    ),
    _mutant(
        "pause ignored", "while paused", (digest.services.subscribe, "pause", _still_active), days=8
    ),
    _mutant(
        "pauses never end", "no digest", (digest.daemon.steps, "resume_due", lambda *_: 0), days=12
    ),
    _mutant(
        "marked as sent before it was",
        "sent and never taken, no digest",
        (senders, "attempt", _believed(_sent_anyway)),
    ),
    _mutant(
        "refusals tried for ever",
        "not drained",
        (senders, "attempt", _believed(_try_again)),
        (ledger, "verdict", _never_given_up(ledger.verdict)),
        days=6,
    ),
    _mutant("doubts not counted", "copies", (senders, "attempt", _believed(_not_in_doubt))),
    _mutant(
        "leases never expire",
        "not drained, no digest",
        (ledger, "_take_back_expired", lambda *_args: None),
        days=6,
    ),
    _mutant(
        "leases of others not heeded",
        "copies",
        (ledger, "_take_back_expired", _leases_of_no_length(ledger._take_back_expired)),
        days=8,
    ),
    _mutant(
        "papers sent before not excluded",
        "paper twice",
        (digest.services.compose, "sent_before", lambda *_args: {}),
    ),
    _mutant(
        "version taken for identity",
        "paper twice",
        (digest.domain.identity, "arxiv_id", _with_version(digest.domain.identity.arxiv_id)),
        days=8,
    ),
    _mutant(
        "titles compared letter by letter",
        "paper twice",
        (digest.domain.identity, "normalised_title", str.strip),
        (digest.store.identities, "normalised_title", str.strip),
        days=10,
    ),
    _mutant(
        "key of composing dropped",
        "two digests, copies, not in the ledger",
        (tests.faults.year.year, "fresh_sqlite", _without_key(tests.faults.year.year.fresh_sqlite)),
        (digest.services.compose, "still_true", lambda _session, plans: plans),
        days=8,
    ),
)

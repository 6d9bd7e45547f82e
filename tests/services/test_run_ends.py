"""A run of the senders ends, whatever the relay, the store and others do meanwhile."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlmodel import Session

from digest.domain.breaker import Breaker
from digest.domain.deliveries import Failed, State
from digest.domain.limits import Limits, Rate
from digest.domain.relay import Security
from digest.mail.transport import Relay, RelaySettings
from digest.services.attempts import Jury
from digest.services.deliver import Post, deliver
from digest.services.restraint import Restraint
from digest.store import allowances, subscribers
from digest.store.database import open_engine, transaction
from digest.store.tables import DeliveryRow, table
from tests.builders import NOON
from tests.moody import Moody, options, post_to, queued, states

DEADLINE_S = 60  # of a machine that is busy with other things
HOUR = timedelta(hours=1)
DELIVERIES = table(DeliveryRow)
LEASED = DELIVERIES.c.state == State.SENDING.value


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    engine = open_engine(postgres_url)
    yield engine
    engine.dispose()


class Overdue:
    """A `stop` that ends a run which does not end by itself."""

    def __init__(self) -> None:
        self._until = time.monotonic() + DEADLINE_S
        self.was_needed = False

    def __call__(self) -> bool:
        self.was_needed = self.was_needed or time.monotonic() > self._until
        return self.was_needed


@pytest.fixture
def overdue() -> Iterator[Overdue]:
    stop = Overdue()
    yield stop
    assert not stop.was_needed, "the run did not end by itself"


def dead(post: Post) -> Post:
    settings = RelaySettings(host="127.0.0.1", port=9, security=Security.NONE, timeout_s=2)
    return replace(post, relay=lambda: Relay(settings))


def test_a_dead_relay_ends_the_run_though_some_connections_have_no_seat(
    engine: Engine, moody: Moody, overdue: Overdue
) -> None:
    queued(engine, *(f"reader{n}@example.com" for n in range(6)))
    limited = options(connections=4, limits=Limits(connections=2))
    done = deliver(dead(post_to(engine, moody)), limited, overdue)
    assert "127.0.0.1:9" in done.relay_error
    assert states(engine) == {State.QUEUED: 6}


def test_seats_that_others_took_end_the_run(engine: Engine, moody: Moody, overdue: Overdue) -> None:
    """As after a long sleep of this process: its seats are gone, and so are its connections."""
    queued(engine, *(f"reader{n}@example.com" for n in range(4)))
    limits = Limits.of(Rate(per_second=0.2), {}, 2)  # time enough to notice before the second one
    lease = timedelta(seconds=1)

    def taken(server: Moody) -> bool:
        if server.received and not others:
            with transaction(engine) as session:
                allowances.leave(session, "me")
                others.append(
                    allowances.sit(session, "relay", "x", NOON, most=2, wanted=2, lease=HOUR)
                )
        return overdue()

    others: list[int] = []
    done = deliver(
        post_to(engine, moody), options(limits=limits, lease=lease), lambda: taken(moody)
    )
    assert others == [2]
    assert "limits.connections" in done.relay_error
    assert states(engine) == {State.SENT: 1, State.QUEUED: 3}


def test_a_clock_that_is_ahead_of_the_limits_waits_with_them(
    engine: Engine, moody: Moody, overdue: Overdue
) -> None:
    """`--now` in the future: what the limits put off must not be due again at once."""
    queued(engine, *(f"reader{n}@example.com" for n in range(5)))
    asked = []

    def clock() -> datetime:
        asked.append(1)
        return NOON + timedelta(days=2)

    limits = Limits.of(Rate(per_hour=3), {})
    post = replace(post_to(engine, moody), clock=clock)
    done = deliver(post, options(limits=limits), overdue)
    assert (done.sent, done.waiting) == (3, 2)
    assert len(asked) < 100


@pytest.mark.slow
def test_thousands_behind_a_limit_are_not_asked_for_one_by_one(
    engine: Engine, moody: Moody, overdue: Overdue
) -> None:
    """They stand first in the queue, and keep nobody waiting."""
    slow = [f"reader{n}@slow.example" for n in range(300)]
    queued(engine, *slow, *(f"reader{n}@quick.example" for n in range(5)))
    limits = Limits.of(Rate(), {"slow.example": Rate(per_hour=1)})
    asked = []
    honest = allowances.take

    def counting(session: Session, wanted: Sequence[str], *rest: Any) -> Any:
        asked.extend(wanted)
        return honest(session, wanted, *rest)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(allowances, "take", counting)
        done = deliver(post_to(engine, moody), options(limits=limits), overdue)
    assert (done.sent, done.waiting) == (6, 299)
    assert len(asked) < 40


def test_a_lease_that_ran_out_unseen_keeps_no_message_from_others(
    engine: Engine, moody: Moody, overdue: Overdue
) -> None:
    """The process slept past its leases, and nobody took them: they are claimed anew."""
    queued(engine, *(f"reader{n}@example.com" for n in range(6)))
    post = post_to(engine, moody)
    late = replace(post, wall=lambda: NOON + timedelta(minutes=len(moody.received) > 1))
    assert deliver(late, options(connections=1), overdue).sent == 6
    assert states(engine) == {State.SENT: 6}


@pytest.mark.postgres
@pytest.mark.slow
def test_a_subscriber_who_is_held_elsewhere_keeps_neither_the_others_nor_the_run(
    postgres_engine: Engine, moody: Moody, overdue: Overdue
) -> None:
    held, *_ = queued(postgres_engine, *(f"reader{n}@example.com" for n in range(6)))
    with transaction(postgres_engine) as other:
        subscribers.by_id(other, held, lock=True)
        done = deliver(
            post_to(postgres_engine, moody), options(lease=timedelta(seconds=1)), overdue
        )
    assert done.sent == 5
    assert states(postgres_engine) == {State.SENT: 5, State.QUEUED: 1}


@pytest.mark.postgres
@pytest.mark.slow
def test_leases_are_renewed_while_the_recorder_waits_for_a_subscriber(
    postgres_engine: Engine, moody: Moody, overdue: Overdue
) -> None:
    """A refusal for good waits for whoever holds its subscriber; the leases must not run out."""
    first, *_ = queued(postgres_engine, "gone@example.com", "b@example.com", "c@example.com")
    moody.answers = {"gone@example.com": "550 5.1.1 no such user"}
    lease = timedelta(seconds=1)
    post = replace(post_to(postgres_engine, moody), wall=lambda: datetime.now(UTC))
    release, seen, asked = threading.Event(), [], []

    def hold() -> None:
        with transaction(postgres_engine) as other:
            subscribers.by_id(other, first, lock=True)
            release.wait(3 * lease.total_seconds())
            asked.append(datetime.now(UTC))
            seen.extend(other.scalars(select(DELIVERIES.c.lease_until).where(LEASED)).all())

    def taken(*arguments: Any) -> Any:  # the first turn is over: now somebody else holds it
        result = honest(*arguments)
        if isinstance(result, Failed) and not holders:
            holders.append(threading.Thread(target=hold))
            holders[0].start()
            release.wait(0.2)
        return result

    holders: list[threading.Thread] = []
    honest = Jury.judged
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Jury, "judged", taken)
        patched.setattr(Breaker, "judged", lambda _self, result, domain: result)
        deliver(post, options(connections=1, lease=lease), overdue)
    holders[0].join()
    assert seen and min(seen) > asked[0]
    assert states(postgres_engine) == {State.SENT: 2, State.FAILED: 1}


@pytest.mark.postgres
def test_senders_who_renew_their_seats_do_not_wait_in_a_circle(postgres_engine: Engine) -> None:
    lease, ended = timedelta(seconds=30), []
    limits = Limits(connections=4)

    def renew(owner: str) -> None:
        mine = Restraint(
            engine=postgres_engine,
            owner=owner,
            limits=limits,
            lease=lease,
            connections=2,
            wall=lambda: NOON,
            jitter=lambda: 0.0,
        )
        mine.approach(insist=False)
        for _ in range(60):
            mine.keep()
        ended.append(mine.seats)

    threads = [threading.Thread(target=renew, args=(owner,)) for owner in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [2, 2]

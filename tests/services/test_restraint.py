"""Senders under limits, and before a relay that refuses everything, against a real SMTP server."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Peer
from sqlalchemy import Engine

from digest.domain.deliveries import State
from digest.domain.limits import Limits, Rate
from digest.services.deliver import Delivered, deliver
from digest.store import allowances
from digest.store.database import reading, transaction
from digest.store.ledger_read import list_deliveries
from tests.builders import NOON
from tests.moody import Moody, options, post_to, queued, states

DENIED = "554 5.7.1 Relay access denied"


class Sullen(Moody):
    """A server that, as long as `answer` is set, gives it to everybody at RCPT."""

    def __init__(self) -> None:
        super().__init__({})
        self.answer = ""

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Peer, envelope: Envelope, address: str, _said: list[str]
    ) -> str:
        if self.answer:
            return self.answer
        envelope.rcpt_tos.append(address)
        return "250 OK"


@pytest.fixture
def sullen() -> Iterator[Sullen]:
    with Sullen() as server:
        yield server


def run(engine: Engine, server: Moody, at: datetime = NOON, **changes: object) -> Delivered:
    return deliver(post_to(engine, server, at), options(**changes))


def test_a_relay_that_denies_everything_burns_nothing_and_is_left_alone(
    engine: Engine, sullen: Sullen
) -> None:
    people = [f"reader{n}@example{n}.com" for n in range(40)]
    queued(engine, *people)
    sullen.answer = DENIED
    done = run(engine, sullen)
    assert "refused or dropped us" in done.relay_error and DENIED in done.relay_error
    assert State.FAILED not in states(engine)
    assert states(engine)[State.QUEUED] >= 30

    sullen.answer = ""
    again = run(engine, sullen, NOON + timedelta(seconds=20))
    assert "left alone until" in again.relay_error
    assert sullen.received == []
    healed = run(engine, sullen, NOON + timedelta(hours=1))
    assert (healed.sent, healed.relay_error) == (40, "")
    assert sorted(mail.recipient for mail in sullen.received) == sorted(people)


def test_a_person_who_insists_reaches_a_relay_that_was_mended(
    engine: Engine, sullen: Sullen
) -> None:
    queued(engine, *(f"reader{n}@example.com" for n in range(12)))
    sullen.answer = DENIED
    assert run(engine, sullen).relay_error
    sullen.answer = ""
    assert run(engine, sullen, NOON + timedelta(minutes=10), insist=True).sent == 12


def test_a_dead_address_alone_fails_in_its_first_run(engine: Engine, sullen: Sullen) -> None:
    queued(engine, "gone@example.com")
    sullen.answer = "550 5.1.1 no such user"
    done = run(engine, sullen)
    assert states(engine) == {State.FAILED: 1}
    assert done.states == {State.FAILED: 1}
    assert done.problems == [("gone@example.com", "failed: 5.1.1 no such user")]


def test_what_a_content_filter_refuses_fails_where_the_relay_takes_others(
    engine: Engine, moody: Moody
) -> None:
    queued(engine, "strict@example.com", *(f"reader{n}@example.com" for n in range(5)))
    moody.answers = {"strict@example.com": "550 5.7.1 message content rejected as spam"}
    run(engine, moody, connections=1)
    assert states(engine) == {State.FAILED: 1, State.SENT: 5}


def test_an_hourly_limit_lets_the_rest_wait_for_its_hour(engine: Engine, moody: Moody) -> None:
    queued(engine, *(f"reader{n}@example.com" for n in range(5)))
    limits = Limits.of(Rate(per_hour=3), {})
    done = run(engine, moody, limits=limits)
    assert (done.sent, done.waiting, done.relay_error) == (3, 2, "")
    assert done.again_at is not None and done.again_at > NOON + timedelta(minutes=15)
    assert run(engine, moody, NOON + timedelta(minutes=5), limits=limits).sent == 0
    assert run(engine, moody, NOON + timedelta(hours=2), limits=limits).sent == 2
    with reading(engine) as session:
        assert {row.attempts for row in list_deliveries(session)} == {1}


def test_a_limited_domain_holds_up_no_other(engine: Engine, moody: Moody) -> None:
    slow = [f"reader{n}@slow.example" for n in range(4)]
    queued(engine, *slow, *(f"reader{n}@quick.example" for n in range(20)))
    limits = Limits.of(Rate(), {"slow.example": Rate(per_hour=1)})
    done = run(engine, moody, limits=limits)
    assert (done.sent, done.waiting) == (21, 3)
    domains = [mail.recipient.partition("@")[2] for mail in moody.received]
    assert domains.count("slow.example") == 1


def test_a_limit_per_second_is_waited_for_in_the_run(engine: Engine, moody: Moody) -> None:
    queued(engine, *(f"reader{n}@example.com" for n in range(8)))
    asked = iter(range(1_000_000))

    def wall() -> datetime:  # a clock that goes on by a tick whenever it is read
        return NOON + timedelta(milliseconds=10 * next(asked))

    post = replace(post_to(engine, moody), wall=wall)
    done = deliver(post, options(limits=Limits.of(Rate(per_second=20), {}), connections=4))
    assert (done.sent, done.waiting, done.relay_error) == (8, 0, "")


def test_connections_are_shared_by_all_senders(engine: Engine, moody: Moody) -> None:
    queued(engine, "ada@example.com")
    limits = Limits(connections=2)
    with transaction(engine) as session:
        lease = timedelta(seconds=30)
        seats = allowances.sit(session, "relay", "other", NOON, most=2, wanted=2, lease=lease)
        assert seats == 2
    assert "limits.connections" in run(engine, moody, limits=limits).relay_error
    assert moody.received == []
    with transaction(engine) as session:
        allowances.leave(session, "other")
    assert run(engine, moody, limits=limits).sent == 1


def test_what_was_never_believed_is_given_up_and_suppresses_nobody(
    engine: Engine, sullen: Sullen
) -> None:
    """A relay that calls everybody dead for two days has lost its table of users."""
    queued(engine, *(f"reader{n}@example{n}.com" for n in range(6)))
    sullen.answer = "550 5.1.1 no such user"
    told = []
    post = replace(post_to(engine, sullen), refused=lambda *what: told.append(what))
    run(engine, sullen)
    late = NOON + timedelta(hours=49)
    deliver(replace(post, clock=lambda: late, wall=lambda: late), options(insist=True))
    assert states(engine)[State.FAILED] >= 1
    assert told == []

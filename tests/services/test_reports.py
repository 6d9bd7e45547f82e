"""Reports of providers: whose mail is meant, once, one by one, and never before its time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from digest.domain.reports import Reading, Report
from digest.domain.returns_policy import EventKind
from digest.domain.subscribers import Status
from digest.errors import StoreError
from digest.services import subscribe
from digest.services.reports import Taken, take
from digest.store import bounces, subscribers
from digest.store.database import open_engine, reading, transaction
from digest.web.desk import Desk
from tests.builders import NOON
from tests.web.building import Clock, a_desk
from tests.web.reported import ADA, DAY, HOUR, came_back, join, mailed, status_of

HARD, SOFT, COMPLAINT = EventKind.HARD, EventKind.SOFT, EventKind.COMPLAINT


@pytest.fixture
def desk(engine: Engine, tmp_path) -> Desk:
    return a_desk(engine, Clock(), tmp_path)


def a_report(key: str = "ses:1", **changes) -> Report:
    values = {"key": key, "kind": HARD, "happened_at": NOON, "address": ADA}
    return Report(**values | changes)


def taken(desk: Desk, *reports: Report, **changes) -> Taken:
    read = Reading(reports=reports, **changes)
    return take(desk.engine, read, means=desk.means, clock=desk.clock, provider="ses")


def test_the_first_proof_that_is_ours_says_whose_mail_it_was(desk):
    delivery = mailed(desk)
    other = join(desk, "eve@lab.example")
    named = a_report(
        address=other.email, message_ids=("<strange@x.example>", delivery.message_id.strip("<>"))
    )
    sent = a_report(
        "ses:2", kind=SOFT, address=other.email, message_ids=("<strange@x.example>",),
        senders=("x@y.example", desk.means.verp.sender(delivery.id)),
    )  # fmt: skip
    assert taken(desk, named, sent).counts == {"suppressed": 1, "noted": 1}
    assert status_of(desk) is Status.SUPPRESSED
    assert status_of(desk, "eve@lab.example") is Status.ACTIVE


def test_of_a_stranger_nothing_is_kept(desk):
    mailed(desk)
    strange = (
        a_report(address="bounce@simulator.example"), a_report("ses:2", address=""),
        a_report("ses:3", address="ada@lab.example "), a_report("ses:4", address="a" * 5000),
    )  # fmt: skip
    assert taken(desk, *strange).counts == {"not ours": 4}
    assert came_back(desk) == []


def test_soft_bounces_on_many_days_count_once_each(desk):
    mailed(desk)
    reports = [
        a_report(f"ses:{day}-{again}", kind=SOFT, happened_at=NOON + (day - 4) * DAY)
        for day in range(4)
        for again in range(3)
    ]
    taken(desk, *reports)
    assert status_of(desk) is Status.ACTIVE
    taken(desk, a_report("ses:last", kind=SOFT))
    assert status_of(desk) is Status.SUPPRESSED


def test_what_happened_before_the_address_was_confirmed_does_nothing(desk):
    join(desk, now=NOON - HOUR)
    assert taken(desk, a_report(happened_at=NOON - DAY)).counts == {"out of date": 1}
    assert status_of(desk) is Status.ACTIVE


def test_of_an_erased_subscriber_nothing_comes_back(desk):
    delivery = mailed(desk)
    with transaction(desk.engine) as session:
        person = subscribers.by_email(session, ADA)
        subscribe.erase(session, person.id, now=NOON, keys=desk.keys)
    done = taken(desk, a_report(), a_report("ses:2", message_ids=(delivery.message_id,)))
    assert sum(done.counts.values()) == 2
    assert not {"suppressed", "noted"} & set(done.counts)
    assert came_back(desk) == []


def test_the_same_event_at_the_same_moment_is_taken_once(desk):
    mailed(desk)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: taken(desk, a_report(kind=COMPLAINT)), range(4)))
    assert sum((one.counts for one in done), start=type(done[0].counts)()) == {
        "suppressed": 1,
        "known already": 3,
    }
    assert came_back(desk) == [("complaint", "suppressed")]


def test_an_event_that_fails_stops_no_other_and_is_counted(desk):
    mailed(desk)
    broken = a_report("ses:bad", address="ada\u0000@lab.example\ud800")  # no store can look for it
    done = taken(desk, broken, a_report(), ignored=3, problems=("event 7: no object",))
    assert (done.failed, done.unreadable) == (1, 1)
    assert done.counts == {"ignored": 3, "suppressed": 1}


def test_a_batch_told_again_is_known_at_once(desk):
    mailed(desk)
    batch = [a_report("ses:1", kind=SOFT), a_report("ses:2", kind=SOFT), a_report("ses:2")]
    assert taken(desk, *batch).counts == {"noted": 2, "known already": 1}
    assert taken(desk, *batch).counts == {"known already": 3}
    with reading(desk.engine) as session:
        many = (f"ses:{number}" for number in range(2 * bounces.KEYS_AT_ONCE + 1))
        assert bounces.known(session, many) == {"ses:1", "ses:2"}
        assert bounces.known(session, []) == set()


def test_a_time_that_cannot_be_is_brought_to_one_that_can(desk):
    mailed(desk)
    ancient = a_report(kind=COMPLAINT, happened_at=datetime.min.replace(tzinfo=UTC))
    future = a_report("ses:2", happened_at=NOON + 1000 * DAY)
    assert taken(desk, ancient, future).counts == {"suppressed": 1, "noted": 1}
    with reading(desk.engine) as session:
        kept = {one.happened_at for one in bounces.listed(session)}
    assert kept == {datetime(2000, 1, 1, tzinfo=UTC), NOON}


def test_a_store_that_fails_is_told_and_not_swallowed(desk, tmp_path):
    (tmp_path / "spoiled.sqlite").write_bytes(b"no database " * 1000)
    spoiled = replace(desk, engine=open_engine(f"sqlite:///{tmp_path / 'spoiled.sqlite'}"))
    with pytest.raises(StoreError):
        taken(spoiled, a_report())

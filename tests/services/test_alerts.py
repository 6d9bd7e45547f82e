"""Alerts: facts from a real store, told once by whichever host, over a real relay."""

import email
import email.policy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update
from structlog.testing import capture_logs

from digest.domain.alerts import Policy
from digest.domain.breaker import News
from digest.domain.deliveries import State
from digest.domain.papers import Outcome, SourceKind
from digest.domain.relay import Security
from digest.mail.links import Site
from digest.mail.render import Renderer
from digest.mail.sink import Sink
from digest.mail.tokens import Tokens
from digest.mail.transport import Relay, RelaySettings
from digest.mail.views import Identity
from digest.services.alerts import Watch, facts, look
from digest.services.collect import PlannedSource, keep
from digest.services.mailroom import Mailroom
from digest.sources.reader import SourceSpec
from digest.store import relay
from digest.store.alerts import standing
from digest.store.database import open_engine, reading, transaction
from digest.store.tables import DeliveryRow, SubscriberRow, table
from tests.builders import NOON, a_batch
from tests.moody import Moody

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ARXIV = PlannedSource(
    spec=SourceSpec(name="arxiv", kind=SourceKind.ARXIV_RSS, url="https://arxiv.example"),
    every=HOUR,
)


@pytest.fixture
def sink():
    with Sink() as server:
        yield server


def a_mailroom():
    return Mailroom(
        renderer=Renderer(),
        tokens=Tokens(["k" * 32]),
        site=Site(url="https://papers.example"),
        identity=Identity(name="Papers", address="digest@papers.example"),
    )


def a_watch(engine, port, **changes):
    settings = RelaySettings(
        host="127.0.0.1", port=port, security=Security.NONE, connections=1, timeout_s=5
    )
    values = {
        "engine": engine,
        "policy": Policy(),
        "sources": [ARXIV],
        "to": "operator@papers.example",
        "owner": "here:1",
        "host": "here",
        "folder": Path("/"),
        "store_file": None,
        "mailroom": a_mailroom,
        "relay": lambda: Relay(settings),
        "secret": "k" * 32,
        "domain": "papers.example",
    }
    return Watch(**values | changes)


def without_disk(watch):
    """The disk of the machine that tests is no matter here."""
    return replace(watch, folder=Path("/does/not/exist"))


def dead_source(engine, at=NOON - 4 * DAY):
    batch = a_batch(source="arxiv", kind=SourceKind.ARXIV_RSS, outcome=Outcome.QUIET, fetched_at=at)
    keep(engine, batch, at)
    failed = replace(batch, outcome=Outcome.FAULT, note="HTTP 503 \x1b[2J", fetched_at=NOON)
    keep(engine, failed, NOON)


def living_source(engine, at):
    batch = a_batch(source="arxiv", kind=SourceKind.ARXIV_RSS, outcome=Outcome.QUIET, fetched_at=at)
    keep(engine, batch, at)


def told(sink):
    mails = [
        email.message_from_bytes(one.content, policy=email.policy.default) for one in sink.received
    ]
    return [str(mail["Subject"]) for mail in mails]


def test_a_dead_source_is_told_once_reminded_daily_and_told_when_it_lives_again(engine, sink):
    dead_source(engine)
    watch = without_disk(a_watch(engine, sink.port))
    for minutes in range(0, 60, 5):
        look(watch, NOON + minutes * MINUTE)
    assert [one.recipient for one in sink.received] == ["operator@papers.example"]
    look(watch, NOON + DAY)
    assert len(sink.received) == 2
    living_source(engine, NOON + DAY + HOUR)
    for minutes in range(0, 60, 5):
        look(watch, NOON + DAY + HOUR + minutes * MINUTE)
    first, second, last = told(sink)
    assert first.startswith("Alert: source arxiv has brought nothing for 4 days")
    assert second.startswith("Alert: source arxiv has brought nothing for 5 days")
    assert last.startswith("Mended: source arxiv")
    with reading(engine) as session:
        assert standing(session) == []


def test_the_mail_is_a_whole_one_on_no_list_and_holds_no_control_character(engine, sink):
    dead_source(engine)
    look(without_disk(a_watch(engine, sink.port)), NOON)
    mail = email.message_from_bytes(sink.received[0].content, policy=email.policy.default)
    text = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    for body in (" ".join(part.split()) for part in (text, html)):
        assert "HTTP 503" in body
        assert "\x1b" not in body
        assert "digest sources check" in body
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] is None
    assert mail["Message-ID"].endswith("@papers.example>")
    assert sink.received[0].sender == "digest@papers.example"


def test_of_two_hosts_that_see_it_one_tells_it(engine, sink):
    dead_source(engine)
    here = without_disk(a_watch(engine, sink.port))
    there = replace(here, owner="there:2", host="there", engine=open_engine(_url(engine)))
    looked = [look(watch, NOON) for watch in (here, there)]
    assert len(sink.received) == 1
    assert [bool(one.told) for one in looked] == [True, False]
    assert [len(one.standing) for one in looked] == [1, 1]
    there.engine.dispose()


def _url(engine):
    return engine.url.render_as_string(hide_password=False)


def test_where_the_relay_is_gone_the_log_is_the_alarm_and_the_mail_follows_later(engine, sink):
    dead_source(engine)
    broken = without_disk(a_watch(engine, 1))  # nobody listens there
    with capture_logs() as lines:
        assert look(broken, NOON).problem
        look(broken, NOON + 5 * MINUTE)  # the lease keeps it from every minute
    events = [line["event"] for line in lines]
    assert events == ["alarm", "alert not sent"]
    look(without_disk(a_watch(engine, sink.port)), NOON + 15 * MINUTE)
    assert len(told(sink)) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [("550 5.1.1 no such user", "alert refused"), ("drop", "alert may have arrived or not")],
)
def test_a_mail_that_is_refused_or_in_doubt_is_not_sent_again_all_day(engine, answer, said):
    dead_source(engine)
    with Moody({"operator@papers.example": answer}) as relay, capture_logs() as lines:
        watch = without_disk(a_watch(engine, relay.port))
        for minutes in range(0, 120, 5):
            look(watch, NOON + minutes * MINUTE)
    assert [line["event"] for line in lines] == ["alarm", said]


def test_without_an_address_the_log_alone_says_it_once(engine):
    dead_source(engine)
    watch = without_disk(a_watch(engine, 1, to=""))
    with capture_logs() as lines:
        for minutes in range(0, 60, 5):
            look(watch, NOON + minutes * MINUTE)
    assert [(line["event"], line["key"]) for line in lines] == [("alarm", "source:arxiv")]


def test_an_alarm_that_comes_and_goes_is_one_alarm(engine, sink):
    watch = without_disk(a_watch(engine, sink.port))
    for minutes in range(0, 100, 10):
        at = NOON + minutes * MINUTE
        with transaction(engine) as session:
            relay.settle(session, News(taken=True), at)
            if minutes % 20 == 0:
                _rested(session, at, 4)
        look(watch, at)
    assert len(sink.received) == 1


def _rested(session, at, times):
    for hours in range(times, 0, -1):
        relay.settle(session, News(opened=True), at - hours * HOUR)


def test_a_source_that_never_worked_is_dead_from_its_first_fetch_on(engine):
    for days in (3, 2):
        at = NOON - days * DAY
        keep(
            engine,
            a_batch(
                source="arxiv", kind=SourceKind.ARXIV_RSS, outcome=Outcome.FAULT, fetched_at=at
            ),
            at,
        )
    (source,) = seen(engine).sources
    assert source.good_at == NOON - 3 * DAY


def test_a_source_that_answers_without_papers_for_days_is_dead_too(engine):
    living_source(engine, NOON - 4 * DAY)
    empty = a_batch(source="arxiv", kind=SourceKind.ARXIV_RSS, outcome=Outcome.EMPTY)
    keep(engine, empty, NOON)
    (source,) = seen(engine).sources
    assert (source.good_at, source.outcome) == (NOON - 4 * DAY, "empty")


def test_a_source_that_is_not_configured_any_more_is_no_matter(engine):
    dead_source(engine)
    assert seen(engine, sources=[]).sources == ()


def seen(engine, **changes):
    watch = without_disk(a_watch(engine, 1, **changes))
    with reading(engine) as session:
        return facts(session, watch, NOON)


def a_row(state, queued, **changes):
    values = {
        "kind": "digest",
        "state": state.value,
        "queued_at": queued,
        "due_at": queued,
        "picks": "[]",
        "token": "",
        "reason": "",
        "message_id": "",
        "attempts": 1,
        "doubtful": 0,
        "smtp_reply": "",
    }
    return values | changes


def test_the_tally_counts_what_was_queued_lately_and_what_is_put_off_for_long(engine):
    rows = [
        a_row(State.SENT, NOON - HOUR),
        a_row(State.SENT, NOON - 7 * HOUR),  # too long ago
        a_row(State.FAILED, NOON - 2 * HOUR),
        a_row(State.HELD, NOON - 2 * HOUR, begun_at=NOON - 2 * HOUR),
        a_row(State.HELD, NOON - 50 * HOUR, begun_at=NOON - 49 * HOUR),
        a_row(State.DEFERRED, NOON - 2 * HOUR, due_at=NOON + HOUR),
        a_row(State.DEFERRED, NOON - MINUTE, due_at=NOON + HOUR),  # greylisted, it may be
        a_row(State.QUEUED, NOON - 3 * HOUR),
        a_row(State.SKIPPED, NOON - HOUR),
    ]
    with transaction(engine) as session:
        for row in rows:
            session.execute(insert(table(DeliveryRow)).values(row))
    found = seen(engine)
    assert (found.tally.sent, found.tally.failed, found.tally.stuck) == (1, 1, 2)
    assert found.held == 1
    assert (found.mails.count, found.mails.oldest_at) == (1, NOON - 3 * HOUR)


def test_subscribers_whose_digest_is_overdue_are_seen_and_paused_ones_are_not(engine, tmp_path):
    people = table(SubscriberRow)
    with transaction(engine) as session:
        for name, status, hours in (("a", "active", 3), ("b", "active", 1), ("c", "paused", 9)):
            row = SubscriberRow(
                email=f"{name}@x.example",
                email_key=f"{name}@x.example",
                status=status,
                created_at=NOON,
                updated_at=NOON,
                next_digest_at=NOON - hours * HOUR,
            )
            session.add(row)
        session.add(
            SubscriberRow(
                email="d@x.example",
                email_key="d",
                status="active",
                created_at=NOON,
                updated_at=NOON,
            )
        )
    late = seen(engine).digests
    assert (late.count, late.oldest_at) == (2, NOON - 3 * HOUR)
    with transaction(engine) as session:
        session.execute(update(people).values(next_digest_at=NOON + HOUR))
    assert seen(engine).digests is None


def test_the_disk_of_the_store_is_looked_at_and_one_that_is_gone_is_not(engine, tmp_path):
    file = tmp_path / "digest.sqlite3"
    file.write_bytes(b"x" * 1000)
    with reading(engine) as session:
        disk = facts(session, a_watch(engine, 1, store_file=file), NOON).disk
        assert (disk.host, disk.folder, disk.wanted) == ("here", str(tmp_path), 1000)
        gone = a_watch(engine, 1, store_file=tmp_path / "gone" / "x")
        assert facts(session, gone, NOON).disk is None

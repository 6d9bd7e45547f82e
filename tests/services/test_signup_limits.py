"""Sign-ups by the web: limits, damage, crashes and many processes."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, insert, update
from sqlmodel import Session

from digest.domain.deliveries import MailKind
from digest.domain.subscribers import Channel, Status, SuppressionReason
from digest.errors import InvalidInput, Refused, StoreError, TooMany
from digest.services import signup
from digest.services import subscribe as desk
from digest.services.signup import Taken, VisitLimits
from digest.store import outbox, signups, subscribers
from digest.store.database import open_engine, transaction
from digest.store.signups import Wishes
from digest.store.tables import SignUpRow
from tests.builders import NOON, some_interests
from tests.services.comers import (
    ADA,
    DAY,
    EVENING,
    HOUR,
    KEYS,
    NETWORK,
    WAITING,
    ask,
    asked,
    come,
    confirm,
    count,
    evidence,
    leave,
    person,
    post,
    sign_up,
    step,
    suppress,
    take_in,
)


def test_a_thousand_forms_for_one_address_are_one_mail_a_day(engine):
    with transaction(engine) as session:
        for n in range(1_000):
            wishes = Wishes(interests=some_interests(f"topic {n}"), preferences=EVENING)
            signups.add(session, ADA, wishes if n % 3 else None, now=NOON)
    assert take_in(engine, limit=600) == {Taken.CONFIRM: 1, Taken.NOTHING: 599}
    assert take_in(engine, NOON + HOUR) == {Taken.NOTHING: 400}
    assert asked(engine) == [MailKind.CONFIRM]
    assert person(engine).interests == some_interests("topic 998")
    assert len(evidence(engine)) == 1


def test_one_mail_a_day_whatever_the_person_does_in_between(engine):
    come(engine)
    for hour in range(1, 24):
        now = NOON + hour * HOUR
        come(engine, now=now)
        confirm(engine, now)
        come(engine, now=now)
        ask(engine, now=now)
        take_in(engine, now)
        leave(engine, now)
        come(engine, now=now)
        assert person(engine).status is Status.PENDING  # the link of the first mail is good again
    assert asked(engine) == [MailKind.CONFIRM]
    come(engine, now=NOON + DAY)
    assert asked(engine) == [MailKind.CONFIRM] * 2


def test_many_processes_take_each_sign_up_in_once(engine):
    emails = [f"p{n}@example.com" for n in range(60)]
    with transaction(engine) as session:
        for n in range(240):
            wishes = Wishes(interests=some_interests("graphs", f"t {n}"), preferences=EVENING)
            signups.add(session, emails[n % 60], wishes, now=NOON)
    engines = [open_engine(engine.url.render_as_string(hide_password=False)) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        while count(engine, SignUpRow):
            list(threads.map(take_in, engines))
    for one in engines:
        one.dispose()
    assert [asked(engine, email) for email in emails] == [[MailKind.CONFIRM]] * 60


def statements(engine, what):
    """The statements that a step sends to the store, without their values."""
    said = []

    def listen(_conn, _cursor, statement, *_rest):
        said.append(statement)

    event.listen(engine, "before_cursor_execute", listen)
    try:
        what()
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    return said


def test_a_form_is_the_same_work_whoever_it_is_about(engine):
    for name in ("pending", "active", "left", "complained"):
        come(engine, f"{name}@example.com")
    for name in ("active", "left"):
        confirm(engine, email=f"{name}@example.com")
    left = person(engine, "left@example.com").id
    step(engine, desk.unsubscribe, left, channel=Channel.LINK, now=NOON)
    suppress(engine, SuppressionReason.COMPLAINT, email="complained@example.com")
    limits = VisitLimits(per_network_per_hour=99, per_hour=99)
    seen = set()
    for name in ("new", "pending", "active", "left", "complained"):
        one = sign_up(f"{name}@example.com")
        said = statements(
            engine, lambda one=one: signup.receive(engine, one, limits=limits, now=NOON)
        )
        seen.add(tuple(said))
    assert len(seen) == 1
    assert len([it for it in seen.pop() if it.startswith("INSERT")]) == 3  # two counts, one row


def test_over_the_limit_nothing_is_kept(engine):
    limits = VisitLimits(per_network_per_hour=2)
    signup.receive(engine, sign_up(), limits=limits, now=NOON)
    signup.ask_access(engine, ADA, network=NETWORK, limits=limits, now=NOON)
    for late in (
        lambda: signup.receive(engine, sign_up("b@example.com"), limits=limits, now=NOON),
        lambda: signup.ask_access(engine, ADA, network=NETWORK, limits=limits, now=NOON),
    ):
        with pytest.raises(TooMany):
            late()
    assert count(engine, SignUpRow) == 2
    assert issubclass(TooMany, Refused)


def test_what_is_no_address_or_too_much_is_refused_at_once(quick):
    with pytest.raises(InvalidInput, match="not one mail address"):
        post(quick, "a@b.example\nBcc: x@y.example")
    with pytest.raises(InvalidInput, match="at most 50"):
        post(quick, ADA, *(f"topic {n}" for n in range(51)))
    with pytest.raises(InvalidInput):
        ask(quick, "nobody")
    assert count(quick, SignUpRow) == 0


@pytest.mark.parametrize(
    "choices",
    [
        "",
        "{}",
        "[1]",
        '"x"',
        '{"interests": [["phrase"]]}',
        signups.wishes_to_json(Wishes(preferences=EVENING)).replace("Asia/Tokyo", "Mars/Base"),
        signups.wishes_to_json(Wishes(preferences=EVENING)).replace(
            '"max_papers":3', '"max_papers":99'
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_dropped_and_the_rest_goes_on(quick, choices):
    post(quick, "ada@example.com")
    with transaction(quick) as session:
        row = {"email": "bad@example.com", "choices": choices, "received_at": NOON}
        session.execute(insert(WAITING).values(consent="", **row))
    post(quick, "bob@example.com")
    assert take_in(quick) == {Taken.CONFIRM: 2, Taken.DROPPED: 1}
    assert person(quick, "bad@example.com") is None
    assert count(quick, SignUpRow) == 0


def test_a_row_that_nobody_foresaw_is_dropped_alone(engine, capsys):
    post(engine, "ada@example.com")
    post(engine, "bad@example.com")
    post(engine, "bob@example.com")
    # kind and words contradict each other: it can be read, but its key cannot be made
    broken = Wishes(interests=some_interests("graphs"), preferences=EVENING)
    text = signups.wishes_to_json(broken).replace('"phrase","graphs"', '"all","("')
    with transaction(engine) as session:
        bad = update(WAITING).where(WAITING.c.email == "bad@example.com")
        session.execute(bad.values(choices=text))
    assert take_in(engine) == {Taken.CONFIRM: 2, Taken.DROPPED: 1}
    assert person(engine, "bad@example.com") is None
    assert take_in(engine) == {}
    assert "bad@example.com" not in capsys.readouterr().out


def test_a_crash_before_the_commit_loses_and_repeats_nothing(engine, monkeypatch):
    for name in ("ada", "bob"):
        post(engine, f"{name}@example.com")

    def dies(*_args):
        raise StoreError("the disk is full")

    monkeypatch.setattr(outbox, "enqueue_mails", dies)  # after almost everything is written
    with pytest.raises(StoreError):
        take_in(engine)
    monkeypatch.undo()
    assert person(engine) is None
    assert count(engine, SignUpRow) == 2
    assert take_in(engine) == {Taken.CONFIRM: 2}
    assert asked(engine) == [MailKind.CONFIRM]


@pytest.mark.postgres
def test_a_subscriber_who_is_being_changed_comes_next_time(postgres_url):
    engine = open_engine(postgres_url)
    come(engine)
    post(engine, ADA, "rl")
    post(engine, "bob@example.com")
    with Session(engine) as other, other.begin():
        subscribers.by_email(other, ADA, lock=True)
        done = signup.take_in(engine, KEYS, NOON)
        assert (done.counts, done.left) == ({Taken.CONFIRM: 1}, 1)
    assert take_in(engine) == {Taken.NOTHING: 1}
    assert person(engine).interests == some_interests("rl")
    engine.dispose()


def test_at_most_so_many_are_taken_and_a_stop_is_heeded(quick):
    for n in range(5):
        post(quick, f"p{n}@example.com")
    assert take_in(quick, limit=2) == {Taken.CONFIRM: 2}
    assert take_in(quick, stop=lambda: True) == {}
    assert take_in(quick) == {Taken.CONFIRM: 3}

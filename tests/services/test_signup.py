"""Sign-ups by the web: one answer for all, at most one mail a day, nothing lost or repeated."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import event, insert, select, update
from sqlmodel import Session

from digest.domain.deliveries import Cancelled, MailKind, State
from digest.domain.schedule import Schedule
from digest.domain.subscribers import (
    Channel,
    ConsentEvent,
    Preferences,
    Status,
    SuppressionReason,
)
from digest.errors import InvalidInput, Refused, StoreError, TooMany
from digest.services import invite, signup
from digest.services import subscribe as desk
from digest.services.signup import SignUp, Taken, VisitLimits
from digest.services.subscribe import Keys
from digest.store import ledger_read, outbox, signups, subscribers, suppressions
from digest.store.database import open_engine, reading, transaction
from digest.store.signups import Wishes
from digest.store.tables import (
    AskedMailRow,
    ConsentEventRow,
    InvitationRow,
    SignUpRow,
    VisitRow,
    table,
)
from tests.builders import NOON, some_interests

KEYS = Keys(pepper="pepper", secret="secret", domain="digest.example")
FREE = VisitLimits()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ADA, NETWORK = "ada@example.com", "192.0.2.0/24"
EVENING = Preferences(schedule=Schedule(timezone="Asia/Tokyo", hour=20), max_papers=3)
WAITING, EVENTS = table(SignUpRow), table(ConsentEventRow)


@pytest.fixture
def quick(sqlite_url):
    """SQLite alone, for what depends on rules and not on the store."""
    opened = open_engine(sqlite_url)
    yield opened
    opened.dispose()


def sign_up(email=ADA, *phrases, **changes):
    values = {
        "interests": some_interests(*(phrases or ("graphs",))),
        "preferences": EVENING,
        "consent": "Send me the digest.",
        "network": NETWORK,
    }
    return SignUp(email=email, **values | changes)


def post(engine, email=ADA, *phrases, now=NOON, **changes):
    signup.receive(engine, sign_up(email, *phrases, **changes), limits=FREE, now=now)


def ask(engine, email=ADA, now=NOON):
    signup.ask_access(engine, email, network=NETWORK, limits=FREE, now=now)


def take_in(engine, now=NOON, **changes):
    return dict(signup.take_in(engine, KEYS, now, **changes).counts)


def come(engine, email=ADA, *phrases, now=NOON, **changes):
    """A form from sending to being taken in."""
    post(engine, email, *phrases, now=now, **changes)
    return take_in(engine, now)


def person(engine, email=ADA):
    with reading(engine) as session:
        return subscribers.find_by_email(session, email)


def step(engine, what, *args, **changes):
    with transaction(engine) as session:
        return what(session, *args, **changes)


def confirm(engine, now=NOON, email=ADA):
    number = person(engine, email).id
    return step(engine, desk.confirm, number, channel=Channel.LINK, now=now, keys=KEYS)


def leave(engine, now=NOON):
    return step(engine, desk.unsubscribe, person(engine).id, channel=Channel.LINK, now=now)


def suppress(engine, reason, now=NOON, email=ADA):
    step(engine, desk.suppress, email, reason, channel=Channel.MAIL, now=now, keys=KEYS)


def mails(engine, email=ADA):
    with reading(engine) as session:
        found = ledger_read.list_deliveries(session, ledger_read.Which(email=email), limit=0)
    return [(one.kind, one.state) for one in reversed(found)]


def asked(engine, email=ADA):
    """The mails that a form asked for, whatever became of them."""
    return [kind for kind, _ in mails(engine, email) if kind in (MailKind.CONFIRM, MailKind.ACCESS)]


def evidence(engine):
    with reading(engine) as session:
        return session.execute(select(EVENTS).order_by(EVENTS.c.id)).all()


def count(engine, row):
    with reading(engine) as session:
        return len(session.execute(select(table(row))).all())


def test_somebody_new_is_pending_with_their_wishes_and_asked_to_confirm(engine):
    assert come(engine, "Ada@EXAMPLE.com", "graphs", "rl") == {Taken.CONFIRM: 1}
    ada = person(engine)
    assert (ada.email, ada.status, ada.next_digest_at) == (
        "Ada@example.com",
        Status.PENDING,
        None,
    )
    assert (ada.interests, ada.preferences) == (some_interests("graphs", "rl"), EVENING)
    assert mails(engine) == [(MailKind.CONFIRM, State.QUEUED)]
    assert count(engine, SignUpRow) == 0
    assert take_in(engine) == {}


def test_the_consent_is_kept_with_its_time_its_text_and_where_it_came_from(engine):
    post(engine, consent="Send me “it”.", now=NOON)
    take_in(engine, NOON + HOUR)
    (kept,) = evidence(engine)
    assert (kept.event, kept.channel, kept.happened_at) == ("subscribed", "form", NOON)
    assert json.loads(kept.detail) == {"text": "Send me “it”.", "network": NETWORK}


def test_the_newest_wishes_of_the_unconfirmed_count(engine):
    come(engine, ADA, "graphs")
    assert come(engine, ADA, "rl", now=NOON + HOUR) == {Taken.NOTHING: 1}
    assert person(engine).interests == some_interests("rl")
    assert come(engine, ADA, "vision", now=NOON + DAY) == {Taken.NOTHING: 1}  # the first one waits
    step(engine, outbox.cancel_open, person(engine).id, Cancelled.UNCONFIRMED)
    assert come(engine, ADA, "audio", now=NOON + 2 * DAY) == {Taken.CONFIRM: 1}
    assert person(engine).interests == some_interests("audio")
    assert asked(engine) == [MailKind.CONFIRM] * 2


@pytest.mark.parametrize("paused", [False, True])
def test_who_reads_already_gets_a_link_to_their_settings_and_keeps_them(quick, paused):
    come(quick)
    confirm(quick)
    if paused:
        step(quick, desk.pause, person(quick).id, channel=Channel.LINK, now=NOON)
    before = person(quick)
    assert come(quick, ADA, "rl", now=NOON + DAY) == {Taken.REMIND: 1}
    assert person(quick) == before
    assert mails(quick)[-1] == (MailKind.ACCESS, State.QUEUED)


def test_who_unsubscribed_comes_back_by_confirming_anew(quick):
    come(quick)
    confirm(quick)
    leave(quick)
    assert come(quick, ADA, "rl", now=NOON + DAY) == {Taken.CONFIRM: 1}
    assert person(quick).status is Status.PENDING
    assert confirm(quick, NOON + DAY).interests == some_interests("rl")


@pytest.mark.parametrize(
    ("reason", "after", "expected"),
    [
        (SuppressionReason.BOUNCE, 29 * DAY, Taken.NOTHING),
        (SuppressionReason.BOUNCE, 30 * DAY, Taken.CONFIRM),
        (SuppressionReason.COMPLAINT, 999 * DAY, Taken.NOTHING),
        (SuppressionReason.REQUEST, 999 * DAY, Taken.NOTHING),
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_suppressed_addresses_stay_so_but_for_old_bounces(quick, reason, after, expected, known):
    if known:
        come(quick)
        confirm(quick)
    suppress(quick, reason)
    before = len(asked(quick))
    assert come(quick, ADA, "rl", now=NOON + after) == {expected: 1}
    if expected is Taken.NOTHING:
        assert (person(quick) is None) is not known
        assert not known or person(quick).status is Status.SUPPRESSED
        assert len(asked(quick)) == before
    else:
        assert person(quick).status is Status.PENDING
        with reading(quick) as session:
            assert suppressions.listed(session) == []


def test_who_was_erased_comes_back_as_somebody_new(quick):
    come(quick)
    old = confirm(quick)
    step(quick, desk.erase, old.id, now=NOON, keys=KEYS)
    assert come(quick) == {Taken.CONFIRM: 1}
    assert person(quick).id != old.id


def test_an_erased_address_is_left_nowhere(engine):
    come(engine)
    post(engine, "ADA@example.com")
    ask(engine)
    post(engine, "bob@example.com")
    step(engine, desk.erase, person(engine).id, now=NOON, keys=KEYS)
    assert count(engine, AskedMailRow) == 0
    assert evidence(engine) == []
    assert take_in(engine) == {Taken.CONFIRM: 1}
    assert person(engine) is None


def test_the_link_to_the_settings_is_mailed_to_readers_alone(engine):
    ask(engine, "nobody@example.com")
    assert take_in(engine) == {Taken.NOTHING: 1}
    assert (count(engine, AskedMailRow), person(engine, "nobody@example.com")) == (0, None)
    come(engine)
    confirm(engine)
    ask(engine, now=NOON + DAY)
    assert take_in(engine, NOON + DAY) == {Taken.REMIND: 1}
    assert asked(engine)[1:] == [MailKind.ACCESS]
    leave(engine)
    ask(engine, now=NOON + 3 * DAY)
    assert take_in(engine, NOON + 3 * DAY) == {Taken.NOTHING: 1}


def test_the_unconfirmed_who_ask_for_their_link_are_asked_to_confirm_as_they_are(quick):
    come(quick)
    step(quick, outbox.cancel_open, person(quick).id, Cancelled.UNCONFIRMED)
    before = person(quick)
    ask(quick, now=NOON + DAY)
    assert take_in(quick, NOON + DAY) == {Taken.CONFIRM: 1}
    assert person(quick) == before
    assert len(evidence(quick)) == 1


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


def an_invitation(engine, **changes):
    values = {"note": "", "uses": 1, "days": 9, "now": NOON}
    return step(engine, invite.invite, **values | changes)


def uses(engine):
    with reading(engine) as session:
        return [row.used for row in session.execute(select(table(InvitationRow)))]


def test_an_invitation_lets_as_many_in_as_it_says(engine):
    card = an_invitation(engine)
    assert come(engine, ADA, invitation_id=card.id) == {Taken.CONFIRM: 1}
    assert come(engine, ADA, "rl", invitation_id=card.id) == {Taken.NOTHING: 1}
    assert come(engine, "bob@example.com", invitation_id=card.id) == {Taken.NOTHING: 1}
    assert (person(engine, "bob@example.com"), uses(engine)) == (None, [1])


def test_of_two_who_bring_the_last_use_one_comes_in(engine):
    card = an_invitation(engine)
    post(engine, ADA, invitation_id=card.id)
    post(engine, "bob@example.com", invitation_id=card.id)
    assert take_in(engine) == {Taken.CONFIRM: 1, Taken.NOTHING: 1}
    assert uses(engine) == [1]


def test_who_is_known_needs_no_invitation(quick):
    card = an_invitation(quick)
    come(quick)
    confirm(quick)
    assert come(quick, now=NOON + DAY, invitation_id=card.id) == {Taken.REMIND: 1}
    assert uses(quick) == [0]


def test_an_invitation_that_is_over_or_gone_lets_nobody_in(quick):
    over, gone = an_invitation(quick, days=1), an_invitation(quick)
    post(quick, ADA, invitation_id=over.id)
    post(quick, "bob@example.com", invitation_id=gone.id)
    with transaction(quick) as session:
        rows = table(InvitationRow)
        session.execute(rows.delete().where(rows.c.id == gone.id))
    assert take_in(quick, NOON + 2 * DAY) == {Taken.NOTHING: 2}
    assert count(quick, AskedMailRow) == 0


def test_an_idle_look_forgets_old_counts(engine):
    limits = VisitLimits(per_network_per_hour=9)
    signup.receive(engine, sign_up(), limits=limits, now=NOON)
    take_in(engine)
    take_in(engine, NOON + HOUR)
    assert (count(engine, VisitRow), count(engine, AskedMailRow)) == (1, 1)
    take_in(engine, NOON + 3 * DAY)
    assert (count(engine, VisitRow), count(engine, AskedMailRow)) == (0, 0)


def test_what_is_told_of_bounces_is_not_moved_by_forms_of_strangers(quick):
    come(quick)
    for hour in range(1, 5):
        come(quick, ADA, f"topic {hour}", now=NOON + hour * HOUR)
    assert [(row.event, row.happened_at) for row in evidence(quick)] == [
        (ConsentEvent.SUBSCRIBED.value, NOON)
    ]

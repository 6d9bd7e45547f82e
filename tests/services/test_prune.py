"""Pruning on both engines: what goes, what stays whatever is asked for, and who need not wait."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import func, insert, select, update

from digest.domain.deliveries import MailKind, State
from digest.domain.editions import Edition, EditionId
from digest.domain.feedback import Opinion
from digest.domain.papers import PaperId
from digest.domain.retention import Keep, Kind, Policy
from digest.domain.subscribers import Channel, ConsentEvent, Status
from digest.errors import NotFound
from digest.services.prune import prune
from digest.services.subscribe import Keys, confirm, subscribe, undo, unsubscribe
from digest.store import evidence, feedback, ledger_read, papers, pruning, subscribers
from digest.store.database import reading, transaction
from digest.store.evidence import Evidence
from digest.store.ledger import claim
from digest.store.merge import merge_batch
from digest.store.sources import last_change, remember_batch
from digest.store.subscribers import NewSubscriber
from digest.store.tables import (
    AddressChangeRow,
    AliasRow,
    AskedMailRow,
    BatchRow,
    BounceRow,
    ConsentEventRow,
    DeliveryRow,
    EditionRow,
    InterestRow,
    InvitationRow,
    PaperRow,
    SignalRow,
    SignUpRow,
    SubscriberRow,
    SuppressionRow,
    TryRow,
    VisitRow,
    table,
)
from tests.builders import NOON, a_batch, a_listing, attention, some_interests

DAY = timedelta(days=1)
KEYS = Keys(pepper="p" * 32, secret="s" * 32, domain="papers.example")
FEW = Policy(keep=Keep(least_papers=1))
_numbers = count(1)


def policy(**keep):
    return Policy(keep=Keep(**{"least_papers": 1} | keep))


def rows(engine, row, *columns):
    with reading(engine) as session:
        chosen = [table(row).c[name] for name in columns] or [func.count()]
        found = session.execute(select(*chosen).select_from(table(row))).all()
    return found[0][0] if not columns else sorted(map(tuple, found), key=_none_first)


def _none_first(row):
    return [(value is not None, value) for value in row]


def add(session, row, **values):
    key = next(iter(table(row).primary_key.columns))
    return session.execute(insert(table(row)).values(values).returning(key)).scalar_one()


def a_person(session, email="ada@example.com", status=Status.ACTIVE, at=NOON):
    return subscribers.add(session, NewSubscriber(email=email, status=status), at)


def a_delivery(session, person, days_ago, **changes):
    """A digest queued and sent so many days before noon."""
    at = NOON - days_ago * DAY
    values = {
        "kind": MailKind.DIGEST.value,
        "subscriber_id": person.id,
        "digest_on": at.date(),
        "state": State.SENT.value,
        "picks": "[]",
        "message_id": f"<m{next(_numbers)}@x>",
        "queued_at": at,
        "due_at": at,
    }
    return add(session, DeliveryRow, **values | changes)


def a_paper(session, days_ago, title, **listing):
    """A paper first seen so many days before noon; its id."""
    at = NOON - days_ago * DAY
    listed = a_listing(title, listed_on=at.date(), **listing)
    batch = a_batch(listed, fetched_at=at)
    remember_batch(session, batch, merge_batch(session, batch, at))
    return session.scalar(select(func.max(table(PaperRow).c.id)))


def there(engine, *ids):
    with reading(engine) as session:
        return set(papers.papers_by_id(session, [PaperId(number) for number in ids]))


# the ledger


def test_what_ended_long_ago_goes_and_what_is_younger_stays(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        for days in (91, 200, 500):
            a_delivery(session, ada, days)
        kept = [a_delivery(session, ada, days) for days in (89, 5)]
    assert prune(engine, FEW, NOON).rows[Kind.DELIVERIES] == 3
    assert rows(engine, DeliveryRow, "id") == [(number,) for number in kept]


@pytest.mark.parametrize("state", list(State))
def test_what_waits_is_in_the_air_or_held_is_never_pruned(engine, state):
    with transaction(engine) as session:
        a_delivery(session, a_person(session), 300, state=state.value)
    prune(engine, FEW, NOON)
    open_states = (State.QUEUED, State.DEFERRED, State.SENDING, State.HELD)
    assert rows(engine, DeliveryRow) == (1 if state in open_states else 0)


def test_a_date_yet_to_come_keeps_its_row(engine):
    with transaction(engine) as session:
        a_delivery(session, a_person(session), 300, digest_on=NOON.date() + DAY)
    prune(engine, FEW, NOON)
    assert rows(engine, DeliveryRow) == 1


def test_what_was_sent_is_known_for_the_whole_window(engine):
    wide = Policy(keep=Keep(deliveries_days=1), lookback_days=40)
    with transaction(engine) as session:
        ada = a_person(session)
        picks = json.dumps({"picks": [{"p": 7}]})
        a_delivery(session, ada, 39, picks=picks)
        a_delivery(session, ada, 60, picks=picks)
    assert prune(engine, wide, NOON).rows[Kind.DELIVERIES] == 1
    edition = Edition(id=EditionId(1), cutoff_at=NOON, lookback_days=40)
    with reading(engine) as session:
        assert ledger_read.sent_before(session, [ada.id], edition.opens_at) == {ada.id: {7}}


def test_a_date_that_may_still_be_composed_has_its_row(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        for days in range(12):
            a_delivery(session, ada, days, state=State.SKIPPED.value)
    prune(engine, Policy(keep=Keep(deliveries_days=1), lookback_days=1), NOON)
    with reading(engine) as session:
        for days in range(4):
            assert ledger_read.has_row(session, ada.id, NOON.date() - days * DAY)


def test_zero_days_keep_the_ledger_for_ever(engine):
    with transaction(engine) as session:
        a_delivery(session, a_person(session), 3_000)
    assert Kind.DELIVERIES not in prune(engine, policy(deliveries_days=0), NOON).rows
    assert rows(engine, DeliveryRow) == 1


def test_old_rows_are_found_beyond_rows_of_a_clock_that_was_ahead(engine, monkeypatch):
    monkeypatch.setattr(pruning, "AT_ONCE", 3)
    with transaction(engine) as session:
        ada = a_person(session)
        for year in range(2030, 2040):
            ahead = datetime(year, 1, 1, tzinfo=UTC)
            a_delivery(session, ada, 0, queued_at=ahead, digest_on=ahead.date())
        a_delivery(session, ada, 100)
        a_delivery(session, ada, 200, state=State.HELD.value)
        a_delivery(session, ada, 300)
    assert prune(engine, FEW, NOON).rows[Kind.DELIVERIES] == 2


def test_the_walk_ends_where_the_young_rows_begin(engine, monkeypatch):
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    with transaction(engine) as session:
        ada = a_person(session)
        for days in (9, 8, 7, 6):
            a_delivery(session, ada, days)
    cut = pruning.Cut(before=NOON - 90 * DAY, now=NOON)
    with transaction(engine) as session:
        assert pruning.deliveries(session, 0, cut) == pruning.Part(rows=0, after=None)


def test_what_came_back_outlives_its_delivery_and_failed_tries_go_with_it(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        mail = a_delivery(session, ada, 100)
        a_bounce(session, ada, 99, delivery_id=mail)
        add(session, TryRow, delivery_id=mail, tried_at=NOON, outcome="deferred", reply="no")
    prune(engine, FEW, NOON)
    assert rows(engine, BounceRow, "delivery_id") == [(None,)]
    assert rows(engine, TryRow) == 0


def test_editions_go_when_no_delivery_was_chosen_from_them(engine):
    with transaction(engine) as session:
        _old, used, young = (
            add(session, EditionRow, cutoff_at=NOON - days * DAY, lookback_days=7)
            for days in (100, 99, 5)
        )
        a_delivery(session, a_person(session), 99, edition_id=used, state=State.HELD.value)
    assert prune(engine, FEW, NOON).rows[Kind.EDITIONS] == 1
    assert rows(engine, EditionRow, "id") == [(used,), (young,)]


# papers


def test_an_old_paper_goes_and_its_names_stay(engine):
    with transaction(engine) as session:
        old = a_paper(session, 401, "An Old One", arxiv="2501.00001")
        young = a_paper(session, 399, "A Young One", arxiv="2501.00002")
    assert prune(engine, FEW, NOON).rows[Kind.PAPERS] == 1
    assert there(engine, old, young) == {young}
    named = rows(engine, AliasRow, "scheme", "value", "paper_id")
    assert ("arxiv", "2501.00001", None) in named
    with reading(engine) as session, pytest.raises(NotFound, match="has been pruned"):
        papers.paper(session, "arxiv:2501.00001")


@pytest.mark.parametrize(
    "again",
    [
        {"arxiv": "2501.00001"},
        {"title": "Renamed since", "arxiv": "2501.00001"},
        {"title": "AN OLD ONE"},
        {"title": "An old one", "authors": ()},
    ],
)
def test_a_late_listing_of_a_pruned_paper_does_not_make_it_new(engine, again):
    with transaction(engine) as session:
        a_paper(session, 401, "An Old One", arxiv="2501.00001")
        a_paper(session, 1, "Another", arxiv="2603.00001")
    prune(engine, FEW, NOON)
    with transaction(engine) as session:
        listing = a_listing(**{"title": "An Old One"} | again)
        merged = merge_batch(session, a_batch(listing), NOON)
    assert (merged.new, merged.rejected) == (0, ())
    assert rows(engine, PaperRow) == 1


def test_a_paper_that_a_source_still_lists_stays(engine):
    with transaction(engine) as session:
        old = a_paper(session, 500, "Evergreen")
        merge_batch(session, a_batch(a_listing("Evergreen"), fetched_at=NOON), NOON)
        a_paper(session, 1, "Another")
    prune(engine, FEW, NOON)
    assert there(engine, old) == {old}


def test_a_paper_stays_while_a_vote_on_it_weighs_and_then_goes_with_it(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        loved, forgotten = a_paper(session, 800, "Loved"), a_paper(session, 800, "Forgotten")
        a_paper(session, 1, "Another")
        for paper, days in ((loved, 400), (forgotten, 451)):
            at = NOON - days * DAY
            feedback.record(session, ada.id, paper, Opinion.MORE, channel=Channel.LINK, at=at)
    prune(engine, FEW, NOON)
    assert there(engine, loved, forgotten) == {loved}
    with reading(engine) as session:
        (vote,) = feedback.votes_of(session, [ada.id])[ada.id]
    assert vote.title == "Loved"


def test_the_papers_seen_last_stay_however_old_they_are(engine):
    with transaction(engine) as session:
        ids = [a_paper(session, 900 - n, f"Paper {n} of all") for n in range(6)]
    prune(engine, policy(least_papers=4), NOON)
    assert there(engine, *ids) == set(ids[2:])
    prune(engine, policy(least_papers=6), NOON)
    assert there(engine, *ids) == set(ids[2:])


def test_no_run_takes_more_papers_than_the_rankers_figures_bear(engine, monkeypatch):
    monkeypatch.setattr("digest.services.prune.papers_at_once", lambda _total: 2)
    with transaction(engine) as session:
        for n in range(6):
            a_paper(session, 900 - n, f"Paper {n} of all")
    done = prune(engine, FEW, NOON)
    assert (done.rows[Kind.PAPERS], done.left) == (2, 3)
    assert prune(engine, FEW, NOON).left == 1


def test_the_paper_that_others_became_takes_their_traces_along(engine):
    with transaction(engine) as session:
        a_paper(session, 500, "One Work", arxiv="2501.00001")
        a_paper(session, 499, "One Work in Print", aliases=())
        alias = a_listing("One Work in Print", arxiv="2501.00001")
        merge_batch(session, a_batch(alias, fetched_at=NOON - 498 * DAY), NOON - 498 * DAY)
        a_paper(session, 1, "Another")
    prune(engine, FEW, NOON)
    assert rows(engine, PaperRow) == 1
    with transaction(engine) as session:
        assert merge_batch(session, a_batch(a_listing("One Work in Print")), NOON).new == 0


# signals


def readings(session, days_ago, counts):
    """A paper read every six hours from the begin of its day on."""
    day = NOON.date() - days_ago * DAY
    for number, upvotes in enumerate(counts):
        at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=6 * number)
        listing = a_listing(f"Read {days_ago}", listed_on=day, attention=attention(upvotes))
        merge_batch(session, a_batch(listing, fetched_at=at), at)


def test_old_signals_are_thinned_out_to_three_a_day_and_young_ones_are_not(engine):
    with transaction(engine) as session:
        readings(session, 31, range(1, 9))
        readings(session, 12, range(1, 9))
    assert prune(engine, FEW, NOON).rows[Kind.SIGNALS] == 5
    old, young = NOON.date() - 31 * DAY, NOON.date() - 12 * DAY
    counts = rows(engine, SignalRow, "listed_on", "upvotes")
    assert [number for day, number in counts if day == old] == [1, 4, 8]
    assert [number for day, number in counts if day == young] == list(range(1, 9))
    assert prune(engine, FEW, NOON).rows[Kind.SIGNALS] == 0


def test_a_reading_after_thinning_goes_on_with_the_last_run(engine):
    with transaction(engine) as session:
        readings(session, 31, range(1, 9))
    prune(engine, FEW, NOON)
    with transaction(engine) as session:
        day = NOON.date() - 31 * DAY
        same = a_listing("Read 31", listed_on=day, attention=attention(8))
        merge_batch(session, a_batch(same, fetched_at=NOON), NOON)
    assert len(rows(engine, SignalRow, "id")) == 3


def test_many_crowded_days_are_thinned_out_part_by_part(engine, monkeypatch):
    monkeypatch.setattr(pruning, "THINNED_AT_ONCE", 2)
    monkeypatch.setattr(pruning, "AT_ONCE", 3)
    with transaction(engine) as session:
        for days in range(40, 45):
            readings(session, days, range(1, 9))
    expected = prune(engine, FEW, NOON, dry_run=True).rows[Kind.SIGNALS]
    assert prune(engine, FEW, NOON).rows[Kind.SIGNALS] == expected == 25
    assert rows(engine, SignalRow) == 15


# what came back


def a_bounce(session, person, days_ago, kind="soft", **changes):
    values = {
        "key": f"key {next(_numbers)}",
        "subscriber_id": person.id,
        "address_hash": "h",
        "kind": kind,
        "detail": "550 ada@example.com",
        "happened_at": NOON - days_ago * DAY,
    }
    return add(session, BounceRow, **values | changes)


def test_old_bounces_go_and_of_complaints_and_opt_outs_the_words_alone(engine):
    with transaction(engine) as session:
        ada = a_person(session)
        for kind in ("hard", "soft", "policy", "complaint", "unsubscribe"):
            a_bounce(session, ada, 401, kind)
        a_bounce(session, ada, 20)
    done = prune(engine, FEW, NOON)
    assert (done.rows[Kind.BOUNCES], done.rows[Kind.COMPLAINTS]) == (3, 2)
    assert rows(engine, BounceRow, "kind", "detail") == [
        ("complaint", ""),
        ("soft", "550 ada@example.com"),
        ("unsubscribe", ""),
    ]
    assert prune(engine, FEW, NOON).rows[Kind.COMPLAINTS] == 0


# people who never confirmed


def who(engine):
    return [email for (email,) in rows(engine, SubscriberRow, "email")]


def asked(session, email, days_ago):
    """Somebody who asked for the digest so many days ago, whose confirmation was sent."""
    at = NOON - days_ago * DAY
    person = subscribe(
        session,
        email,
        interests=some_interests(f"graphs {email[:3]}"),
        channel=Channel.FORM,
        now=at,
        keys=KEYS,
    )
    mine = table(DeliveryRow).c.subscriber_id == person.id
    sent = {"state": State.SENT.value, "smtp_reply": f"250 {email}"}
    session.execute(update(table(DeliveryRow)).where(mine).values(sent))
    return person


def test_who_never_confirmed_is_forgotten_without_a_trace(engine):
    with transaction(engine) as session:
        asked(session, "never@example.com", 31)
        asked(session, "lately@example.com", 29)
    assert prune(engine, FEW, NOON).rows[Kind.PENDING] == 1
    assert who(engine) == ["lately@example.com"]
    assert rows(engine, ConsentEventRow) == 1
    assert rows(engine, SuppressionRow) == 0
    assert rows(engine, InterestRow, "key") == [("graphs lat",)]
    assert (None, "") in rows(engine, DeliveryRow, "subscriber_id", "smtp_reply")


def test_who_was_forgotten_may_come_by_any_way(engine):
    with transaction(engine) as session:
        asked(session, "never@example.com", 31)
    prune(engine, FEW, NOON)
    with transaction(engine) as session:
        subscribe(session, "never@example.com", channel=Channel.IMPORT, now=NOON, keys=KEYS)


def test_who_confirmed_or_left_is_not_forgotten(engine):
    with transaction(engine) as session:
        at = NOON - 100 * DAY
        ada = asked(session, "active@example.com", 100)
        confirm(session, ada.id, channel=Channel.LINK, now=at, keys=KEYS)
        bob = asked(session, "left@example.com", 100)
        unsubscribe(session, bob.id, channel=Channel.LINK, now=at)
        cyd = asked(session, "undecided@example.com", 100)
        unsubscribe(session, cyd.id, channel=Channel.LINK, now=at)
        undo(session, cyd.id, now=at)
    assert prune(engine, FEW, NOON).rows[Kind.PENDING] == 0
    assert len(who(engine)) == 3


@pytest.mark.parametrize("state", [State.QUEUED, State.DEFERRED, State.SENDING, State.HELD])
def test_who_has_a_mail_on_its_way_is_not_forgotten_yet(engine, state):
    with transaction(engine) as session:
        asked(session, "slow@example.com", 100)
        session.execute(update(table(DeliveryRow)).values(state=state.value))
    assert prune(engine, FEW, NOON).rows[Kind.PENDING] == 0


def test_who_asked_again_lately_is_not_forgotten(engine):
    with transaction(engine) as session:
        ada = asked(session, "again@example.com", 100)
        lately = Evidence(
            subscriber_id=ada.id,
            event=ConsentEvent.SUBSCRIBED,
            channel=Channel.FORM,
            happened_at=NOON - DAY,
        )
        evidence.record(session, [lately])
    assert prune(engine, FEW, NOON).rows[Kind.PENDING] == 0


def test_an_interest_that_others_have_stays(engine):
    with transaction(engine) as session:
        for email, days in (("never@example.com", 40), ("lately@example.com", 1)):
            graphs, at = some_interests("graphs"), NOON - days * DAY
            person = subscribe(
                session, email, interests=graphs, channel=Channel.FORM, now=at, keys=KEYS
            )
            mine = table(DeliveryRow).c.subscriber_id == person.id
            session.execute(update(table(DeliveryRow)).where(mine).values(state="sent"))
    prune(engine, FEW, NOON)
    assert rows(engine, InterestRow, "key") == [("graphs",)]


# what the pages leave behind


def test_what_the_pages_left_behind_goes(engine):
    def kept_and_gone(session, row, column, days, **values):
        for number, at in enumerate((NOON - (days + 1) * DAY, NOON)):
            changed = {name: f"{text}{number}" for name, text in values.items()}
            add(session, row, **{column: at} | changed)

    with transaction(engine) as session:
        kept_and_gone(session, SignUpRow, "received_at", 30, email="a@x.example", choices="null")
        kept_and_gone(session, AskedMailRow, "asked_at", 2, address_hash="h")
        for days in (91, 1):
            at = NOON - days * DAY
            add(session, InvitationRow, created_at=at, expires_at=at)
        add(session, InvitationRow, created_at=NOON, expires_at=NOON + DAY, revoked_at=NOON)
        for days in (3, 0):
            at = int((NOON - days * DAY).timestamp())
            add(session, VisitRow, scope="all", opens_at=at, used=1)
        for number, days in enumerate((3, 1)):
            person = a_person(session, f"p{number}@example.com")
            at = NOON - days * DAY
            values = {"email": "new@x.example", "token": "t", "asked_at": at}
            add(session, AddressChangeRow, subscriber_id=person.id, **values)
    done = prune(engine, FEW, NOON)
    gone = {
        Kind.SIGN_UPS: SignUpRow,
        Kind.ASKED_MAILS: AskedMailRow,
        Kind.VISITS: VisitRow,
        Kind.ADDRESS_CHANGES: AddressChangeRow,
    }
    assert {kind: done.rows[kind] for kind in gone} == dict.fromkeys(gone, 1)
    assert all(rows(engine, row) == 1 for row in gone.values())
    assert (done.rows[Kind.INVITATIONS], rows(engine, InvitationRow)) == (1, 2)


def test_old_fetches_go_but_for_each_sources_latest(engine):
    with transaction(engine) as session:
        for days, source in ((500, "a"), (450, "a"), (600, "b"), (5, "a")):
            at = NOON - days * DAY
            batch = a_batch(a_listing(f"Of {source} {days}"), source=source, fetched_at=at)
            remember_batch(session, batch, merge_batch(session, batch, at))
        before = last_change(session, NOON)
    assert prune(engine, FEW, NOON).rows[Kind.BATCHES] == 2
    with reading(engine) as session:
        assert last_change(session, NOON) == before
    assert len(rows(engine, BatchRow, "id")) == 2


# how


def a_full_store(engine):
    """A little of every kind, old."""
    with transaction(engine) as session:
        ada = a_person(session)
        a_delivery(session, ada, 100)
        add(session, EditionRow, cutoff_at=NOON - 100 * DAY, lookback_days=7)
        a_bounce(session, ada, 500)
        a_bounce(session, ada, 500, "complaint")
        asked(session, "never@example.com", 31)
        a_paper(session, 500, "Old")
        a_paper(session, 1, "New")
        readings(session, 40, range(1, 9))


def test_a_dry_run_tells_the_same_and_changes_nothing(engine):
    a_full_store(engine)
    told = prune(engine, FEW, NOON, dry_run=True)
    assert rows(engine, PaperRow) == 3
    assert rows(engine, DeliveryRow) == 2
    done = prune(engine, FEW, NOON)
    assert {k: n for k, n in told.rows.items() if n} == {k: n for k, n in done.rows.items() if n}
    assert len([n for n in done.rows.values() if n]) == 8


def test_a_second_run_finds_nothing(engine):
    a_full_store(engine)
    prune(engine, FEW, NOON)
    assert not prune(engine, FEW, NOON).anything


def test_a_run_that_is_stopped_has_done_what_it_has_done(engine, monkeypatch):
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    with transaction(engine) as session:
        ada = a_person(session)
        for days in range(100, 110):
            a_delivery(session, ada, days)
    answers = iter([False, True])
    done = prune(engine, FEW, NOON, stop=lambda: next(answers, True))
    assert (done.stopped, done.rows) == (True, {Kind.DELIVERIES: 4})
    assert rows(engine, DeliveryRow) == 6


def test_nobody_waits_for_rows_that_a_transaction_holds(postgres_url):
    from digest.store.database import open_engine

    engine = open_engine(postgres_url)
    with transaction(engine) as session:
        ada = a_person(session)
        busy, free = a_delivery(session, ada, 100), a_delivery(session, ada, 101)
        a_delivery(session, ada, 0, state=State.QUEUED.value)
    with transaction(engine) as session:
        mine = table(DeliveryRow).c.id == busy
        session.execute(select(table(DeliveryRow).c.id).where(mine).with_for_update())
        assert prune(engine, FEW, NOON).rows[Kind.DELIVERIES] == 1
        assert len(claim(session, "a", NOON, timedelta(seconds=30), 10)) == 1
    assert free not in [number for (number,) in rows(engine, DeliveryRow, "id")]
    assert prune(engine, FEW, NOON).rows[Kind.DELIVERIES] == 1
    engine.dispose()


def test_two_runs_at_once_take_each_row_once(engine):
    a_full_store(engine)
    inner = []

    def meanwhile():
        if not inner:
            inner.append(None)
            inner.append(prune(engine, FEW, NOON))
        return False

    outer = prune(engine, FEW, NOON, stop=meanwhile)
    total = sum(outer.rows.values()) + sum(inner[1].rows.values())
    assert not outer.problems
    assert total == 12
    assert not prune(engine, FEW, NOON, dry_run=True).anything


def test_papers_wait_for_the_next_day_while_a_batch_is_merged(postgres_url):
    from digest.store.database import open_engine

    engine = open_engine(postgres_url)
    with transaction(engine) as session:
        a_paper(session, 500, "Old")
        a_paper(session, 1, "New")
    with transaction(engine) as session:
        merge_batch(session, a_batch(a_listing("Old", listed_on=date(2026, 3, 12))), NOON)
        assert prune(engine, FEW, NOON).rows.get(Kind.PAPERS, 0) == 0
    assert rows(engine, PaperRow) == 2
    engine.dispose()


def test_a_kind_that_fails_is_named_and_stops_no_other(engine, monkeypatch):
    from digest.errors import StoreError

    def broken(*_arguments):
        raise StoreError("the store failed: disk full")

    monkeypatch.setitem(prune.__globals__["_STEPS"], Kind.DELIVERIES, broken)
    a_full_store(engine)
    done = prune(engine, FEW, NOON)
    assert done.problems == [(Kind.DELIVERIES, "the store failed: disk full")]
    assert done.rows[Kind.PAPERS] == 1


def test_the_summary_names_what_went(engine):
    a_full_store(engine)
    told = replace(prune(engine, FEW, NOON), seconds=1.25, left=3).as_fields()
    assert told["pending_subscribers"] == 1
    assert (told["papers_left"], told["seconds"]) == (3, 1.2)
    assert "visits" not in told

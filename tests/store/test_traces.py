"""SQLite's files: what was erased is in none of them, and what was deleted gives its room back."""

import random
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from digest.domain.subscribers import Channel
from digest.services.subscribe import Keys, erase, subscribe
from digest.store.database import compact, free_pages, open_engine, reading, scrub, transaction
from digest.store.tables import BounceRow, DeliveryRow, table
from tests.builders import NOON, some_interests

KEYS = Keys(pepper="p" * 32, secret="s" * 32, domain="papers.example")


@pytest.fixture
def fresh(tmp_path):
    """A new store, made by this version."""
    from digest.store import schema

    engine = open_engine(f"sqlite:///{tmp_path / 'fresh' / 'digest.sqlite'}")
    schema.upgrade(engine)
    yield engine
    engine.dispose()


def files(engine):
    path = Path(engine.url.database)
    return sorted(path.parent.glob(path.name + "*"))


def holds(engine, word):
    return [one.name for one in files(engine) if word.encode() in one.read_bytes()]


def many(engine, number):
    """People with interests, a mail whose reply quotes them, and a bounce that does; their ids by
    address. Addresses of all lengths in no order, so that pages are split and joined.
    """
    dice, people = random.Random(7), {}
    names = [f"{dice.randbytes(dice.randint(3, 25)).hex()}@erased.example" for _ in range(number)]
    for start in range(0, number, 25):
        with transaction(engine) as session:
            for email in names[start : start + 25]:
                people[email] = _one(session, email)
    return people


def _one(session, email):
    wishes = some_interests(f"graphs of {email[:8]}")
    person = subscribe(session, email, interests=wishes, channel=Channel.FORM, now=NOON, keys=KEYS)
    said = {"smtp_reply": f"550 <{email}> unknown", "reason": f"no {email}"}
    session.execute(
        table(DeliveryRow).update().where(table(DeliveryRow).c.subscriber_id == person.id),
        said | {"state": "failed"},
    )
    bounce = {"key": email[:12], "address_hash": "h", "kind": "hard", "happened_at": NOON}
    values = bounce | {"subscriber_id": person.id, "detail": f"to {email}"}
    session.execute(insert(table(BounceRow)).values(values))
    return person.id


def erased(engine, number):
    with transaction(engine) as session:
        erase(session, number, now=NOON, keys=KEYS)


def test_an_erased_address_is_in_none_of_the_files_at_once(fresh):
    people = many(fresh, 60)
    gone = list(people)[::2]
    for email in gone:
        assert holds(fresh, email)
        erased(fresh, people[email])
        assert holds(fresh, email) == [], email
    assert all(holds(fresh, email) for email in list(people)[1::2])


def test_pages_that_were_split_and_joined_keep_no_copies(fresh):
    people = many(fresh, 200)
    dice = random.Random(3)
    gone = dice.sample(sorted(people), 100)
    for start in range(0, 100, 20):
        with transaction(fresh) as session:
            for email in gone[start : start + 20]:
                erase(session, people[email], now=NOON, keys=KEYS)
    everything = b"".join(one.read_bytes() for one in files(fresh))
    assert [email for email in gone if email.encode() in everything] == []


@pytest.mark.slow
def test_an_erase_beside_a_reader_is_scrubbed_once_the_reader_is_done(fresh):
    people = many(fresh, 3)
    email = next(iter(people))
    with reading(fresh) as session:
        session.execute(text("SELECT count(*) FROM subscribers")).scalar_one()
        erased(fresh, people[email])
        assert not scrub(fresh)
    assert scrub(fresh)
    assert holds(fresh, email) == []


def test_what_is_deleted_gives_its_room_back(fresh):
    big = 40_000
    with transaction(fresh) as session:
        rows = [
            {"kind": "digest", "state": "sent", "picks": "x" * big, "token": "", "reason": ""}
            | {"message_id": "", "attempts": 0, "doubtful": 0, "smtp_reply": ""}
            | {"queued_at": NOON, "due_at": NOON}
            for _ in range(50)
        ]
        session.execute(insert(table(DeliveryRow)), rows)
    scrub(fresh)
    full = files(fresh)[0].stat().st_size
    with transaction(fresh) as session:
        session.execute(table(DeliveryRow).delete())
    steps = []
    while freed := free_pages(fresh, 100):
        steps.append(freed)
    scrub(fresh)
    assert len(steps) > 2
    assert max(steps) == 100
    assert files(fresh)[0].stat().st_size < full - 40 * big


def test_a_file_of_an_older_version_learns_it_when_written_anew(tmp_path):
    import sqlite3

    path = tmp_path / "old.sqlite"
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE t (x)")
    old.execute("INSERT INTO t VALUES (zeroblob(1000000))")
    old.commit()
    old.close()
    engine = open_engine(f"sqlite:///{path}")
    with transaction(engine) as session:
        session.execute(text("DELETE FROM t"))
    assert free_pages(engine) == 0
    compact(engine)
    assert path.stat().st_size < 100_000
    with transaction(engine) as session:
        session.execute(text("INSERT INTO t VALUES (zeroblob(1000000))"))
    with transaction(engine) as session:
        session.execute(text("DELETE FROM t"))
    assert free_pages(engine) > 100
    engine.dispose()


def test_other_engines_have_their_own_ways(postgres_url):
    engine = open_engine(postgres_url)
    assert scrub(engine)
    assert free_pages(engine) == 0
    compact(engine)
    engine.dispose()

"""A store that has grown for months, for what is forgotten of it."""

from datetime import UTC, datetime, timedelta
from itertools import count

from sqlalchemy import func, insert, select, update

from digest.domain.deliveries import MailKind, State
from digest.domain.papers import PaperId
from digest.domain.retention import Keep, Policy
from digest.domain.subscribers import Channel, Status
from digest.services.subscribe import Keys, subscribe
from digest.store import papers, subscribers
from digest.store.database import reading
from digest.store.merge import merge_batch
from digest.store.sources import remember_batch
from digest.store.subscribers import NewSubscriber
from digest.store.tables import BounceRow, DeliveryRow, PaperRow, SubscriberRow, table
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


def readings(session, days_ago, counts):
    """A paper read every six hours from the begin of its day on."""
    day = NOON.date() - days_ago * DAY
    for number, upvotes in enumerate(counts):
        at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=6 * number)
        listing = a_listing(f"Read {days_ago}", listed_on=day, attention=attention(upvotes))
        merge_batch(session, a_batch(listing, fetched_at=at), at)


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

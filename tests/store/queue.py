"""Rows of the ledger for tests: queued, claimed and begun in one line each."""

from datetime import date, timedelta

from digest.domain.deliveries import Sent
from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.papers import PaperId
from digest.domain.subscribers import Status
from digest.store import ledger, ledger_read, outbox, subscribers, turns
from digest.store.ledger_read import Which
from digest.store.subscribers import NewSubscriber
from digest.store.turns import Sender
from tests.builders import NOON

DAY = date(2026, 3, 12)
LEASE = timedelta(seconds=30)
SECOND = timedelta(seconds=1)
PEPPER = "pepper"
OK = Sent(code=250, reply="2.0.0 queued")


def a_pick(number=1, **changes):
    values = {
        "paper_id": PaperId(number),
        "score": 0.1 + 0.2,
        "relevance": 1 / 3,
        "trend": 0.5,
        "reason": Reason(where=Where.TITLE, interest="graphs", words=("graph",), upvotes=3),
    }
    return Pick(**values | changes)


def a_digest(*numbers, day=DAY, **changes):
    return Digest(digest_on=day, picks=tuple(a_pick(n) for n in numbers or (1,)), **changes)


def a_person(session, email="ada@example.com", status=Status.ACTIVE):
    return subscribers.add(session, NewSubscriber(email=email, status=status), NOON)


def queue(session, person, digest=None, now=NOON):
    return outbox.enqueue_digest(
        session, person.id, digest or a_digest(), edition_id=None, message_id="<m@x>", now=now
    )


def row(session, delivery_id=None):
    which = Which(ids=[delivery_id]) if delivery_id else Which()
    (found,) = ledger_read.list_deliveries(session, which)
    return found


def claim(session, owner="a", now=NOON, limit=10):
    return ledger.claim(session, owner, now, LEASE, limit)


def begin(session, claimed, owner="a", now=NOON, **changes):
    sender = Sender(owner=owner, pepper=PEPPER, now=now, wall=changes.get("wall", now))
    return turns.advance(session, sender, [], [claimed.id]).starts.get(claimed.id)

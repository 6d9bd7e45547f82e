"""People who come by the form, and what became of them."""

from datetime import timedelta

from sqlalchemy import select

from digest.domain.deliveries import MailKind
from digest.domain.schedule import Schedule
from digest.domain.subscribers import Channel, Preferences
from digest.services import signup
from digest.services import subscribe as desk
from digest.services.signup import SignUp, VisitLimits
from digest.services.subscribe import Keys
from digest.store import ledger_read, subscribers
from digest.store.database import reading, transaction
from digest.store.tables import ConsentEventRow, SignUpRow, table
from tests.builders import NOON, some_interests

KEYS = Keys(pepper="pepper", secret="secret", domain="digest.example")
FREE = VisitLimits()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ADA, NETWORK = "ada@example.com", "192.0.2.0/24"
EVENING = Preferences(schedule=Schedule(timezone="Asia/Tokyo", hour=20), max_papers=3)
WAITING, EVENTS = table(SignUpRow), table(ConsentEventRow)


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

"""A store with rows in every table, by the project's own ways, and archives to look into."""

import json
import re
import zipfile
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

from sqlalchemy import CheckConstraint, Date, DateTime, Engine, Float, Integer, insert, select
from sqlalchemy import Table as SqlTable
from sqlmodel import Session

from digest.domain.deliveries import DeliveryId, State
from digest.domain.digests import Skip, SkipReason
from digest.domain.feedback import Opinion
from digest.domain.limits import Limits, Rate
from digest.domain.papers import PaperId
from digest.domain.returns_policy import Event, EventKind
from digest.domain.subscribers import Channel, Preferences, Status, SubscriberId
from digest.services import address_change, invite
from digest.services.move.exports import export_store
from digest.services.move.imports import Imported, import_store
from digest.store import (
    allowances,
    asked_mails,
    bounces,
    editions,
    feedback,
    outbox,
    signups,
    visits,
    whole,
)
from digest.store.database import transaction
from digest.store.merge import merge_batch
from digest.store.tables import DeliveryRow, metadata, table
from digest.web.desk import Desk
from tests.builders import NOON, a_batch, a_listing, attention
from tests.web.people import DAY, HOSTILE, a_digest, a_person, erased, some_papers

DELIVERIES = table(DeliveryRow)
EVERY = [one for one in metadata.sorted_tables if one.name not in whole.SCHEMAS_OWN]
ODD = 'ünïcödé "quoted" \\ back\nline\ttab 日本 🙂 \u2028 </script>'
HOUR = timedelta(hours=1)


def exported(engine: Engine) -> bytes:
    """The archive of a store, taken at noon."""
    sink = BytesIO()
    export_store(engine, sink, NOON)
    return sink.getvalue()


def imported(engine: Engine, archive: bytes, *, dry_run: bool = False) -> Imported:
    return import_store(engine, BytesIO(archive), dry_run=dry_run)


def parts_of(archive: bytes) -> dict[str, bytes]:
    """The files within an archive."""
    with zipfile.ZipFile(BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def manifest_of(archive: bytes) -> Any:
    return json.loads(parts_of(archive)["manifest.json"])


def repacked(archive: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The same archive with its files changed."""
    parts = parts_of(archive)
    change(parts)
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return sink.getvalue()


def fill_everything(desk: Desk) -> None:
    """People of every status, papers, votes, mails in every state, and all that waits."""
    _people_and_papers(desk)
    with transaction(desk.engine) as session:
        _ledger(session)
        _around_the_pages(session, desk)
        _limits(session)
        for one in EVERY:
            if session.execute(select(one).limit(1)).first() is None:
                session.execute(insert(one).values(_any_row(one)))


def _people_and_papers(desk: Desk) -> None:
    for number, status in enumerate(Status):
        a_person(desk, f"reader{number}@lab.example", "graphs", ODD[:20], status=status)
    a_person(desk, "nine@lab.example", preferences=Preferences(threshold=0.1 + 0.2))
    gone = a_person(desk, "gone@lab.example")
    papers = some_papers(desk, ODD[:30], *(f"Paper {word[:40]!r}" for word in HOSTILE))
    a_digest(desk, gone, papers[0])
    erased(desk, gone)
    with transaction(desk.engine) as session:
        first = a_listing("Two names", arxiv="2603.00001", attention=attention(3, 2, 1))
        second = a_listing("Other name", arxiv="2603.00002")
        both = a_listing("Two names", aliases=first.aliases + second.aliases)
        for batch in (a_batch(first, second), a_batch(both), a_batch(source="silent")):
            merge_batch(session, batch, NOON + timedelta(microseconds=123_457))
        reader = SubscriberId(2)
        for number, opinion in enumerate(Opinion, start=1):
            paper = PaperId(number)
            feedback.record(session, reader, paper, opinion, channel=Channel.LINK, at=NOON)


def _ledger(session: Session) -> None:
    """A delivery in every state, the one that is in the air with its lease."""
    edition = editions.edition_for(session, NOON, 7, None)
    for number, state in enumerate(State):
        day = DAY - timedelta(days=number)
        skip = Skip(digest_on=day, reason=SkipReason.LATE)
        outbox.write_skip(session, SubscriberId(2), skip, edition_id=edition.id, now=NOON)
        values: dict[str, Any] = {"state": state.value, "message_id": f"<{number}@x.example>"}
        if state is State.SENDING:
            lease = NOON + timedelta(seconds=30)
            values |= {"owner": "host:1:abc", "lease_until": lease, "begun_at": NOON}
        mine = DELIVERIES.c.digest_on == day
        session.execute(DELIVERIES.update().where(mine).values(**values))
    number = session.scalars(select(DELIVERIES.c.id).where(DELIVERIES.c.state == "sent")).first()
    event = Event(kind=EventKind.SOFT, key="k", happened_at=NOON, detail=ODD)
    bounces.add(
        session,
        event,
        subscriber_id=SubscriberId(2),
        delivery_id=DeliveryId(number),
        address_hash="h",
        acted="noted",
    )


def _around_the_pages(session: Session, desk: Desk) -> None:
    invitation = invite.invite(session, note=ODD[:9], uses=3, days=9, now=NOON)
    invite.revoke(session, invitation.id, NOON)
    wishes = signups.Wishes(preferences=Preferences(), invited=True)
    signups.add(
        session, "new@lab.example", wishes, consent=ODD, invitation_id=invitation.id, now=NOON
    )
    address_change.ask(session, SubscriberId(2), "newer@lab.example", now=NOON, keys=desk.keys)
    asked_mails.grant(session, ["hash"], NOON)
    limits = visits.VisitLimits(per_network_per_hour=9, per_hour=9)
    visits.visit(session, "203.0.113.0/24", limits, NOON)


def _limits(session: Session) -> None:
    limits = Limits.of(Rate(per_second=1, per_hour=9), {"lab.example": Rate(per_hour=3)}, 2)
    allowances.take(session, ["a@lab.example", "b@Ünï.example"], limits, NOON)
    allowances.sit(session, "relay", "host:1", NOON, most=2, wanted=1, lease=HOUR)


def _any_row(one: SqlTable) -> dict[str, Any]:
    """A row for a table that nothing above fills: values of its columns' types that its checks
    take.
    """
    checks = " ".join(
        str(rule.sqltext) for rule in one.constraints if isinstance(rule, CheckConstraint)
    )
    return {column.name: _any_value(column, checks) for column in one.columns}


def _any_value(column: Any, checks: str) -> object:
    if named := re.search(rf"\b{column.name} IN \('([^']*)'", checks):
        return named[1]
    kind = column.type
    for known, value in ((DateTime, NOON), (Date, DAY), (Float, 0.5), (Integer, 1)):
        if isinstance(getattr(kind, "impl_instance", kind), known):
            return value
    return True if kind.python_type is bool else ODD

"""Alerts: look at what could be wrong, and tell the operator once, whichever host sees it first.

The mail goes straight to the relay and not by the ledger, whose rows are subscribers'; what was
told stands in the store, where a lease lets one host tell it. Where the mail cannot be sent the
line in the log is the alarm, and a later look tries again.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Engine
from sqlmodel import Session

from digest import observe
from digest.domain import alerts as rules
from digest.domain.alerts import (
    FAILURES_WITHIN,
    STUCK_AFTER,
    Alarm,
    DiskFact,
    Facts,
    News,
    Policy,
    RelayFact,
    SourceFact,
    Standing,
)
from digest.errors import DigestError, InDoubtError, PermanentMailError
from digest.mail.excerpts import plain, shortened
from digest.mail.transport import Relay
from digest.services.collect import PlannedSource
from digest.services.mailroom import Mailroom, Notice
from digest.store import alerts, figures
from digest.store import sources as memory
from digest.store.database import reading, transaction
from digest.store.relay import relay_state

# A host that died while it told is not waited for longer; a mail that failed is tried again then.
LEASE = timedelta(minutes=15)
NOTE_MOST = 160

log = structlog.get_logger("digest.alerts")


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What alerts stand on. `to` empty: nobody is mailed. `owner` names this process, `host` this
    machine; `store_file` is SQLite's, None elsewhere; `secret` and `domain` name the mails.
    """

    engine: Engine
    policy: Policy
    sources: Sequence[PlannedSource]
    to: str
    owner: str
    host: str
    folder: Path
    store_file: Path | None
    mailroom: Callable[[], Mailroom]
    relay: Callable[[], Relay]
    secret: str = field(repr=False)
    domain: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What stands at this look, and what of it this process told; `problem` is why no mail went."""

    standing: tuple[Alarm, ...] = ()
    told: News = field(default_factory=News)
    mailed: bool = False
    problem: str = ""


def look(watch: Watch, now: datetime) -> Looked:
    """Look once, and tell what is news. Raises StoreError."""
    with reading(watch.engine) as session:
        raised = rules.alarms(facts(session, watch, now), watch.policy, now)
        before = alerts.standing(session)
    if not raised and not before:
        return Looked()
    with transaction(watch.engine) as session:
        alerts.see(session, raised, now)
        told = rules.news(raised, before, now, host=watch.host)
        alerts.drop(session, told.dropped, now - rules.CALM)
        leased = alerts.take(session, watch.owner, told, now, now + LEASE) if told else set()
        began = {one.key: one.began_at for one in alerts.standing(session)}
    mine = told.only(leased)
    if not mine:
        return Looked(standing=raised)
    _log(mine)
    mailed, problem = _mail(watch, mine, began, now) if watch.to else (False, "")
    if not problem:
        with transaction(watch.engine) as session:
            alerts.done(session, watch.owner, mine, now)
    return Looked(standing=raised, told=mine, mailed=mailed, problem=problem)


def current(watch: Watch, now: datetime) -> tuple[tuple[Alarm, ...], list[Standing]]:
    """What is wrong now, and what the store remembers of it; nobody is told."""
    with reading(watch.engine) as session:
        raised = rules.alarms(facts(session, watch, now), watch.policy, now)
        return raised, alerts.standing(session)


def facts(session: Session, watch: Watch, now: datetime) -> Facts:
    """What this host sees at this instant."""
    state = relay_state(session)
    return Facts(
        sources=_sources(session, watch.sources),
        digests=figures.late_digests(session, now),
        mails=figures.late_mails(session, now),
        tally=figures.tally(session, now - FAILURES_WITHIN, now - STUCK_AFTER),
        held=figures.held_lately(session, now),
        relay=RelayFact(pauses=state.strikes, taken_at=state.taken_at),
        disk=_disk(watch),
    )


def _sources(session: Session, planned: Sequence[PlannedSource]) -> tuple[SourceFact, ...]:
    """Those that were ever asked; one that is new has no past to be dead in."""
    names = {one.spec.name for one in planned}
    known = {one.name: one for one in memory.list_sources(session) if one.name in names}
    strangers = [name for name, one in known.items() if one.last_success_at is None]
    first = figures.first_asked(session, strangers) if strangers else {}
    return tuple(
        SourceFact(
            name=name,
            good_at=good_at,
            outcome=one.last_outcome.value if one.last_outcome else "",
            note=shortened(plain(one.last_note), NOTE_MOST),
        )
        for name, one in known.items()
        if (good_at := one.last_success_at or first.get(name))
    )


def _disk(watch: Watch) -> DiskFact | None:
    """The disk under the store's file, or else under the config."""
    file = watch.store_file
    folder = file.parent if file else watch.folder
    try:
        free = shutil.disk_usage(folder).free
        size = file.stat().st_size if file else 0
    except OSError:  # a folder that is gone is the store's trouble, and told by it
        return None
    return DiskFact(host=watch.host, folder=str(folder), free=free, wanted=size)


def _log(told: News) -> None:
    for one in told.begun:
        observe.ALARMS.add(1, one.topic)
        log.error("alarm", key=one.key, text=one.text, mend=one.mend)
    for one in told.again:
        log.error("alarm still", key=one.key, text=one.text, mend=one.mend)
    for gone in told.over:
        log.info("mended", key=gone.key, text=gone.text)


def _mail(watch: Watch, told: News, began: dict[str, datetime], now: datetime) -> tuple[bool, str]:
    """Whether it was sent, and why it is to be tried again where it was not."""
    try:
        notice = Notice(
            told=told,
            began=began,
            host=watch.host,
            written_at=now,
            message_id=_message_id(watch, told, now),
        )
        mailroom = watch.mailroom()
        content = mailroom.alert(watch.to, notice)
        asyncio.run(_send(watch, mailroom.sender, content))
    except InDoubtError as exc:
        log.warning("alert may have arrived or not", error=str(exc))
        return True, ""
    except PermanentMailError as exc:  # to try again would be refused again
        log.error("alert refused", to=watch.to, error=str(exc))  # noqa: TRY400
        return False, ""
    except DigestError as exc:
        log.error("alert not sent", to=watch.to, error=str(exc))  # noqa: TRY400
        return False, str(exc)
    return True, ""


async def _send(watch: Watch, sender: str, content: bytes) -> None:
    async with watch.relay() as relay, relay.connection() as connection:
        await connection.send(sender, watch.to, content)


def _message_id(watch: Watch, told: News, now: datetime) -> str:
    named = "|".join(("alert", watch.secret, watch.owner, now.isoformat(), *told.keys))
    return f"<alert.{hashlib.sha256(named.encode()).hexdigest()[:40]}@{watch.domain}>"

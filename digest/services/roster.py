"""The roster: subscribers as people read and change them, one transaction a change."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.subscribers import Status, Subscriber, SubscriberId, SuppressionReason
from digest.errors import NotFound
from digest.services import subscribe
from digest.services.rowfiles import Format
from digest.services.subscribe import Keys
from digest.services.transfer import export_subscribers
from digest.store import address_changes, asked_mails, signups, subscribers, suppressions
from digest.store.database import leave_no_trace, reading, transaction


def listed(
    engine: Engine, *, statuses: Sequence[Status] = (), contains: str = "", limit: int = 50
) -> list[Subscriber]:
    """Subscribers in order of id; `contains` is a part of the address, `limit` 0 gives all."""
    with reading(engine) as session:
        return subscribers.listed(session, statuses=statuses, contains=contains, limit=limit)


def one(engine: Engine, email: str) -> Subscriber:
    """The subscriber of that address. Raises NotFound."""
    with reading(engine) as session:
        return subscribers.by_email(session, email)


def ids_of(engine: Engine, emails: Sequence[str]) -> list[SubscriberId]:
    """The ids of those of the addresses that are known."""
    with reading(engine) as session:
        found = [subscribers.find_by_email(session, email) for email in emails]
    return [person.id for person in found if person]


def without_erased(
    engine: Engine, told: Sequence[tuple[str, str]], keys: Keys
) -> list[tuple[str, str]]:
    """What went wrong for whom, as it may be written down now: a run takes a while, and who was
    erased meanwhile is not named, nor are words repeated that may quote the address.
    """
    if not told:
        return []
    hashes = {email: keys.hash_of(email) for email, _ in told}
    with reading(engine) as session:
        known = suppressions.by_hashes(session, hashes.values())
    gone = {digest for digest, one in known.items() if one.email is None}
    return [("(erased)", "erased meanwhile") if hashes[one[0]] in gone else one for one in told]


def added(engine: Engine, step: Callable[[Session], Subscriber], *, dry_run: bool) -> Subscriber:
    """Run a step that adds somebody; a dry run does the same and takes it back."""
    with transaction(engine) as session:
        person = step(session)
        if dry_run:
            session.rollback()
    return person


def changed(
    engine: Engine,
    email: str,
    step: Callable[[Session, Subscriber], Subscriber | None],
    *,
    dry_run: bool,
) -> Subscriber:
    """Run a step on the subscriber of that address: as they are then, or were, if they are gone.

    A dry run does the same and takes it back. Raises NotFound, and what the step raises.
    """
    with transaction(engine) as session:
        person = subscribers.by_email(session, email)
        after = step(session, person)
        if dry_run:
            session.rollback()
    return after or person


def erased(engine: Engine, email: str, *, now: datetime, keys: Keys, dry_run: bool = False) -> str:
    """Erase whoever has that address, subscriber or not, and give the address as it was kept.

    A dry run does the same and takes it back. Raises NotFound where nobody and nothing has it.
    """
    with transaction(engine) as session:
        person = subscribers.find_by_email(session, email, lock=True)
        if person:
            subscribe.erase(session, person.id, now=now, keys=keys)
        elif not _erase_stranger(session, email, now=now, keys=keys):
            raise NotFound(f"no subscriber has the address {email[:254]!r}, and nothing else here")
        if dry_run:
            session.rollback()
    return person.email if person else email


def _erase_stranger(session: Session, email: str, *, now: datetime, keys: Keys) -> bool:
    """Forget an address that is no subscriber's, of which there are a suppression, a form that
    waits or a change of address; a keyed hash stays of it, too. Whether there was anything.
    """
    digest = keys.hash_of(email)
    leave_no_trace(session)
    held = suppressions.by_hashes(session, [digest]).get(digest)
    waited = signups.forget(session, email)
    wanted = address_changes.forget_address(session, email)
    if not (waited or wanted or (held and held.email)):
        return False
    asked_mails.forget(session, digest)
    if not suppressions.add(session, digest, SuppressionReason.ERASED, now, email=None):
        suppressions.forget_address(session, digest)
    return True


@contextmanager
def exported(engine: Engine, file_format: Format) -> Iterator[Iterator[str]]:
    """All subscribers as lines of a file, to be read while the context is open."""
    with reading(engine) as session:
        yield export_subscribers(session, file_format)

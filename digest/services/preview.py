"""Preview: exactly the mail that would go out, as files; nothing is written into the store."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.deliveries import MailKind
from digest.domain.digests import Digest
from digest.domain.schedule import local_date
from digest.domain.subscribers import Status, Subscriber
from digest.errors import StoreError
from digest.services.mailroom import Mail, Mailroom, Order, considered, papers_of
from digest.store import subscribers
from digest.store.contents import content_from_json
from digest.store.database import reading
from digest.store.ledger_read import Which, list_deliveries

if TYPE_CHECKING:
    from digest.services.compose import Composer

_UNSAFE = re.compile(r"[^A-Za-z0-9@._+-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """A subscriber's mail for a local date, or the reason why there is none."""

    email: str
    digest_on: date
    skipped: str = ""
    mail: Mail | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What a preview stands on."""

    engine: Engine
    composer: "Composer"
    mailroom: Mailroom


@dataclass(frozen=True, kw_only=True, slots=True)
class Ordered:
    """What a subscriber's mail for a local date is to hold, or the reason why there is none."""

    email: str
    digest_on: date
    skipped: str = ""
    order: Order | None = None


def preview(desk: Desk, email: str, now: datetime, digest_on: date | None = None) -> Preview:
    """The digest of the ledger where that date has one, else what composing would give now."""
    found = ordered(desk, email, now, digest_on)
    if found.order is None:
        return Preview(email=found.email, digest_on=found.digest_on, skipped=found.skipped)
    with reading(desk.engine) as session:
        mail = desk.mailroom.mail(found.order, papers_of(session, found.order))
    return Preview(email=found.email, digest_on=found.digest_on, mail=mail)


def ordered(desk: Desk, email: str, now: datetime, digest_on: date | None = None) -> Ordered:
    """What `preview` puts into words. Raises NotFound for a stranger."""
    with reading(desk.engine) as session:
        subscriber = subscribers.by_email(session, email)
        day = digest_on or local_date(subscriber.preferences.schedule, now)
        order = in_ledger(session, subscriber, day)
    if order is None and subscriber.status is not Status.ACTIVE:
        return Ordered(email=subscriber.email, digest_on=day, skipped=subscriber.status.value)
    if order is None:
        composed = desk.composer.preview(email, now, day)
        if not isinstance(composed.content, Digest):
            reason = composed.content.reason.value
            return Ordered(email=subscriber.email, digest_on=day, skipped=reason)
        order = Order(
            kind=MailKind.DIGEST,
            subscriber=subscriber,
            message_id=desk.composer.message_id(subscriber.id, day),
            queued_at=now,
            digest=composed.content,
            considered=composed.considered,
        )
    return Ordered(email=subscriber.email, digest_on=day, order=order)


def in_ledger(session: Session, subscriber: Subscriber, day: date) -> Order | None:
    """The order of the digest that the ledger holds for that date, if it holds one."""
    which = Which(email=subscriber.email, digest_on=day, kinds=[MailKind.DIGEST])
    rows = [row for row in list_deliveries(session, which, limit=1) if row.message_id]
    if not rows:
        return None
    return Order(
        kind=MailKind.DIGEST,
        subscriber=subscriber,
        message_id=rows[0].message_id,
        queued_at=rows[0].queued_at,
        digest=content_from_json(rows[0].picks, day),
        considered=considered(session, rows[0].edition_id),
    )


def write_mail(folder: Path, stem: str, mail: Mail) -> list[Path]:
    """Write a mail as .eml, .txt and, where it has any, .html; the paths written."""
    files = {"txt": mail.rendered.text.encode(), "eml": mail.content}
    if mail.rendered.html is not None:
        files["html"] = mail.rendered.html.encode()
    return write_files(folder, stem, files)


def write_files(folder: Path, stem: str, files: Mapping[str, bytes]) -> list[Path]:
    """Write each content under `stem` with its ending; the paths written.

    Nothing of `stem` but letters, digits and `@._+-` reaches the file system, and no name begins
    with `.` or `-`, which hides a file or is an option to programs. Raises StoreError when the
    folder cannot be written.
    """
    safe = _UNSAFE.sub("_", stem).lstrip(".-")[:100].rstrip(".") or "mail"
    paths = {folder / f"{safe}.{ending}": content for ending, content in sorted(files.items())}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in paths.items():
            path.write_bytes(content)
    except OSError as exc:
        raise StoreError(f"{folder} cannot be written: {exc}") from exc
    return list(paths)

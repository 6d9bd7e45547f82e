"""SendGrid: the signed event webhook, batches of events of many kinds.

Twilio SendGrid, "Event Webhook Reference" and "Getting Started with the Event Webhook Security
Features": ECDSA over the timestamp and the body as they came, with a key made in SendGrid's
settings.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.domain.reports import Reading, Report, event_key, judged, sendgrid_event
from digest.errors import ConfigError, InvalidInput
from digest.web.desk import desk_of
from digest.web.forms import body_of
from digest.web.webhooks import replies
from digest.web.webhooks.fields import Fields, document, instant_at, objects
from digest.web.webhooks.replies import Unproved

PROVIDER = "sendgrid"
SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
# SendGrid tries for 24 hours to deliver a batch, and does not say that it signs each try anew. An
# old batch sent again does nothing: its events are known by their keys.
OLDEST = timedelta(hours=25)
AHEAD = timedelta(minutes=5)

_PEM_LINE = re.compile("-----(?:BEGIN|END) PUBLIC KEY-----")


def sendgrid(request: Request) -> Response:
    """Take a batch of events of SendGrid."""
    desk = desk_of(request)
    key = desk.settings.webhooks.sendgrid_public_key
    if not key:
        return replies.not_set_up(PROVIDER)
    try:
        public = public_key(key)
        body = body_of(request)
        signature = request.headers.get(SIGNATURE, "")
        check(public, body, signature, request.headers.get(TIMESTAMP, ""), desk.clock())
        reading = read(body)
    except ConfigError as exc:
        return replies.later(PROVIDER, exc)
    except Unproved as exc:
        return replies.unproved(PROVIDER, exc)
    except InvalidInput as exc:
        return replies.unreadable(PROVIDER, exc)
    return replies.handled(desk, PROVIDER, reading)


@lru_cache(maxsize=4)
def public_key(text: str) -> ec.EllipticCurvePublicKey:
    """The verification key as SendGrid shows it: base64 of DER, or PEM. Raises ConfigError."""
    try:
        bare = "".join(_PEM_LINE.sub("", text).split())
        found = load_der_public_key(base64.b64decode(bare, validate=True))
    except (ValueError, UnsupportedAlgorithm, binascii.Error) as exc:
        raise _no_key() from exc
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise _no_key()
    if not isinstance(found.curve, ec.SECP256R1):
        raise _no_key()
    return found


def check(
    key: ec.EllipticCurvePublicKey, body: bytes, signature: str, timestamp: str, now: datetime
) -> None:
    """Let a body pass that SendGrid signed, and not too long ago. Raises Unproved."""
    try:
        key.verify(
            base64.b64decode(signature, validate=True),
            timestamp.encode() + body,
            ec.ECDSA(hashes.SHA256()),
        )
    except (InvalidSignature, ValueError) as exc:
        raise Unproved("the signature") from exc
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise Unproved("the timestamp is no number")
    if not -AHEAD <= now - instant_at(int(timestamp)) <= OLDEST:
        raise Unproved("the timestamp is too old, or in the future")


def read(body: bytes) -> Reading:
    """What a batch says; an event that cannot be read stops no other.

    Raises InvalidInput for a body that is no list.
    """
    reports: list[Report] = []
    problems: list[str] = []
    ignored = 0
    for number, found in _each(body):
        if isinstance(found, Report):
            reports.append(found)
        elif found is None:
            ignored += 1
        else:
            problems.append(f"event {number}: {found}")
    return Reading(reports=tuple(reports), ignored=ignored, problems=tuple(problems))


def _each(body: bytes) -> Iterator[tuple[int, Report | InvalidInput | None]]:
    for number, item in enumerate(objects(document(body)), 1):
        try:
            yield number, _report(Fields(item))
        except InvalidInput as exc:
            yield number, exc


def _report(event: Fields) -> Report | None:
    name, reason = event.name("event"), event.words("reason")
    label, classification = event.name("type", ""), event.name("bounce_classification", "")
    status = event.name("status", "")
    kind = judged(sendgrid_event(name, label, classification, reason), status=status, answer=reason)
    if kind is None:
        return None
    address, at = event.name("email"), event.seconds("timestamp")
    message_id = event.name("smtp-id", "")
    unique = event.name("sg_event_id", "") or f"{name} {label} {at.isoformat()} {message_id}"
    return Report(
        key=event_key(PROVIDER, unique, address),
        kind=kind,
        happened_at=at,
        address=address,
        message_ids=(message_id,) if message_id else (),
        status=status,
        detail=" ".join(f"{name}: {reason or classification or label}".split()),
    )


def _no_key() -> ConfigError:
    return ConfigError(
        "webhooks.sendgrid_public_key is no ECDSA key on P-256: copy the Verification Key from "
        "SendGrid's Settings, Mail Settings, Event Webhook"
    )


routes = [Route("/webhooks/sendgrid", sendgrid, methods=["POST"])]

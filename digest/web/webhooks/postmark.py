"""Postmark: bounces, spam complaints and changes of its suppression list, by HTTP basic.

Postmark signs nothing; it sends the user and password that stand in the address it was given
("Webhooks overview: Protecting your webhook"). It replaces Message-IDs by its own, so that the
recipient's address says whose mail it was.
"""

import base64
import binascii
import hmac

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.domain.reports import COMPLAINT, Reading, Report, Verdict, event_key, judged
from digest.domain.reports import postmark_bounce as bounce
from digest.domain.reports import postmark_suppression as suppression
from digest.errors import InvalidInput
from digest.web.desk import desk_of
from digest.web.forms import body_of
from digest.web.webhooks import replies
from digest.web.webhooks.fields import Fields, document

PROVIDER = "postmark"
_ASK = {"www-authenticate": 'Basic realm="webhooks", charset="UTF-8"'}


def postmark(request: Request) -> Response:
    """Take one event of Postmark."""
    desk = desk_of(request)
    hooks = desk.settings.webhooks
    if not (hooks.postmark_username and hooks.postmark_password):
        return replies.not_set_up(PROVIDER)
    given = request.headers.get("authorization", "")
    if not is_authorised(given, hooks.postmark_username, hooks.postmark_password):
        # 401 and not 403: at a 403 Postmark tries no more, and a wrong password can be mended
        return replies.unproved(PROVIDER, "user or password", 401, _ASK)
    try:
        reading = read(body_of(request))
    except InvalidInput as exc:
        return replies.unreadable(PROVIDER, exc)
    return replies.handled(desk, PROVIDER, reading)


def is_authorised(header: str, username: str, password: str) -> bool:
    """Whether an Authorization header bears both, in UTF-8 (RFC 7617), told in constant time."""
    scheme, _, encoded = header.strip().partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        given = b""
    name, _, secret = given.partition(b":")
    right_name = hmac.compare_digest(name, username.encode())
    right_secret = hmac.compare_digest(secret, password.encode())
    return scheme.lower() == "basic" and right_name and right_secret


def read(body: bytes) -> Reading:
    """What one request says. Raises InvalidInput."""
    event = Fields(document(body))
    report = _report(event)
    return Reading(reports=(report,)) if report else Reading(ignored=1)


def _report(event: Fields) -> Report | None:
    match event.name("RecordType"):
        case "Bounce":
            return _bounce(event, bounce(event.name("Type")))
        case "SpamComplaint":
            return _bounce(event, Verdict(COMPLAINT))
        case "SubscriptionChange":
            return _change(event)
        case _:
            return None


def _bounce(event: Fields, verdict: Verdict) -> Report | None:
    # Details hold the server's answer, or Postmark's own words
    detail = event.words("Details")
    kind = judged(verdict, answer=detail)
    if kind is None:
        return None
    return Report(
        key=f"{PROVIDER}:{event.number('ID')}",
        kind=kind,
        happened_at=event.instant("BouncedAt"),
        address=event.name("Email"),
        detail=f"{event.name('Type', '')}: {detail}",
    )


def _change(event: Fields) -> Report | None:
    if not event.flag("SuppressSending"):
        return None  # nobody comes back but by signing up here
    reason = event.name("SuppressionReason", "")
    kind = suppression(reason, event.name("Origin", "")).kind
    if kind is None:
        return None
    address, at = event.name("Recipient"), event.instant("ChangedAt")
    return Report(
        key=event_key(PROVIDER, reason, address, at.isoformat()),
        kind=kind,
        happened_at=at,
        address=address,
        detail=f"SubscriptionChange: {reason}",
    )


routes = [Route("/webhooks/postmark", postmark, methods=["POST"])]

"""Notifications of Amazon SES, which it mails as JSON where nobody runs an endpoint for them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_JSON_MOST = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """One notification: a complaint, or recipients with status and diagnostic."""

    complaint: bool
    recipients: tuple[tuple[str, str, str], ...]


def notification_in(text: str) -> Notification | None:
    """The notification that a text begins with, None where it begins with none.

    Format: "Amazon SNS notification contents for Amazon SES".
    """
    start = text.lstrip()
    if not start.startswith("{") or '"notificationType"' not in start[:_JSON_MOST]:
        return None
    try:
        # the mail's lines are wrapped anywhere, within strings too
        found, _ = json.JSONDecoder(strict=False).raw_decode(start[:_JSON_MOST].replace("\n", ""))
    except (ValueError, RecursionError):
        return None
    match _text(found, "notificationType"):
        case "Bounce":
            listed, complaint = _listed(found, "bounce", "bouncedRecipients"), False
        case "Complaint":
            listed, complaint = _listed(found, "complaint", "complainedRecipients"), True
        case _:
            return None
    named = (
        (_text(one, "emailAddress"), _text(one, "status"), _text(one, "diagnosticCode"))
        for one in listed
    )
    return Notification(
        complaint=complaint, recipients=tuple(one for one in named if "@" in one[0])
    )


def _listed(found: object, event: str, names: str) -> Sequence[object]:
    inner = found.get(event) if isinstance(found, Mapping) else None
    listed = inner.get(names) if isinstance(inner, Mapping) else None
    return listed[:100] if isinstance(listed, list) else ()


def _text(found: object, name: str) -> str:
    value = found.get(name) if isinstance(found, Mapping) else None
    return value[:1_000] if isinstance(value, str) else ""

"""Amazon SES: bounces and complaints that come through an SNS topic.

What is signed, and how: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS
messages". What is said: Amazon SES Developer Guide, "Amazon SNS notification contents for Amazon
SES" and "Contents of event data that Amazon SES publishes to Amazon SNS".
"""

import base64
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.domain.reports import (
    UNSUBSCRIBE,
    Reading,
    Report,
    event_key,
    judged,
    ses_bounce,
    ses_complaint,
)
from digest.domain.returns_policy import EventKind
from digest.errors import InvalidInput, SourceError
from digest.sources.sns import Sns
from digest.web.desk import Desk, desk_of
from digest.web.forms import body_of
from digest.web.webhooks import replies
from digest.web.webhooks.fields import Fields, document
from digest.web.webhooks.replies import Unproved

PROVIDER = "ses"
# SNS repeats a message for an hour at most (delivery retries, "total policy retry time")
OLDEST = timedelta(hours=1)
AHEAD = timedelta(minutes=5)

_NOTICE = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_INVITATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": _NOTICE,
    "SubscriptionConfirmation": _INVITATION,
    "UnsubscribeConfirmation": _INVITATION,
}
_OPTIONAL = frozenset({"Subject"})
# 1 is SHA-1 and what topics use unless told otherwise; 2 is SHA-256
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}

log = structlog.get_logger("digest.web")


def ses(request: Request) -> Response:
    """Take one message of SNS."""
    desk = desk_of(request)
    topics = desk.settings.webhooks.ses_topics
    if not topics:
        return replies.not_set_up(PROVIDER)
    try:
        message = Fields(document(body_of(request)))
        check(message, topics, desk.sns, desk.clock())
        return _answer(desk, message)
    except Unproved as exc:
        return replies.unproved(PROVIDER, exc)
    except InvalidInput as exc:
        return replies.unreadable(PROVIDER, exc)
    except SourceError as exc:
        return replies.later(PROVIDER, exc)


def check(message: Fields, topics: tuple[str, ...], sns: Sns, now: datetime) -> None:
    """Let a message pass that SNS signed, for a topic of ours, within the hour.

    Raises Unproved; InvalidInput for what is no message of SNS; SourceError where its certificate
    cannot be had.
    """
    topic = message.name("TopicArn")
    if topic not in topics:
        raise Unproved("the topic is not among webhooks.ses_topics")
    if not -AHEAD <= now - message.instant("Timestamp") <= OLDEST:
        raise Unproved("the Timestamp is too old, or in the future")
    signed = signed_text(message)
    hashed = _HASHES.get(message.name("SignatureVersion"))
    if hashed is None:
        raise Unproved("the SignatureVersion is neither 1 nor 2")
    try:
        key = sns.key(message.name("SigningCertURL"), topic, now)
        signature = base64.b64decode(message.name("Signature"), validate=True)
        # SHA-1 is what SNS signs version 1 with; only a second preimage would forge it
        key.verify(signature, signed, PKCS1v15(), hashed())
    except (InvalidSignature, ValueError) as exc:
        raise Unproved(str(exc) or "the signature") from exc


def signed_text(message: Fields) -> bytes:
    """The text that SNS signs: names and values in order, a line each.

    A line end in any value but Message could make two messages of one text, so it is refused.
    Raises InvalidInput.
    """
    names = _SIGNED.get(message.name("Type"))
    if names is None:
        raise InvalidInput("the Type is none of SNS's")
    lines: list[str] = []
    for name in names:
        if name in _OPTIONAL and not message.has(name):
            continue
        lines += [name, message.text(name) if name == "Message" else message.name(name)]
    try:
        return "".join(f"{line}\n" for line in lines).encode()
    except UnicodeEncodeError as exc:
        raise InvalidInput("a value has half a character in it") from exc


def read(message: str) -> Reading:
    """What SES says in a notification; a recipient who cannot be read stops no other.

    Text that is no JSON means nothing: SES sends some when a topic is set up. Raises InvalidInput.
    """
    if not message.lstrip().startswith("{"):
        return Reading(ignored=1)
    event = Fields(document(message.encode("utf-8", "replace")))
    reports: list[Report] = []
    problems: list[str] = []
    ignored = 0
    for found in _each(event):
        if isinstance(found, Report):
            reports.append(found)
        elif found is None:
            ignored += 1
        else:
            problems.append(str(found))
    return Reading(reports=tuple(reports), ignored=ignored, problems=tuple(problems))


def _answer(desk: Desk, message: Fields) -> Response:
    topic = message.name("TopicArn")
    match message.name("Type"):
        case "SubscriptionConfirmation":
            url, token = message.name("SubscribeURL"), message.name("Token")
            desk.sns.subscribe(url, topic, token, desk.clock())
            log.info("subscribed to reports", provider=PROVIDER, topic=topic)
            return replies.done()
        case "UnsubscribeConfirmation":
            # its SubscribeURL would subscribe again: who ended it may have meant it
            log.warning("reports were ended", provider=PROVIDER, topic=topic)
            return replies.done()
        case _:
            return replies.handled(desk, PROVIDER, read(message.text("Message")))


Found = Report | InvalidInput | None


def _each(event: Fields) -> Iterator[Found]:
    # event publishing says eventType, notifications of an identity say notificationType
    match event.name("eventType", "") or event.name("notificationType"):
        case "Bounce":
            yield from _of_each(event, "bounce", "bouncedRecipients", _bounce)
        case "Complaint":
            yield from _of_each(event, "complaint", "complainedRecipients", _complaint)
        case "Subscription":
            yield from _of_each(event, "subscription", "", _left)
        case _:
            yield None


def _of_each(
    event: Fields,
    name: str,
    recipients: str,
    reader: Callable[[Fields, Fields, Fields], Report | None],
) -> Iterator[Found]:
    """What `reader` makes of each recipient; of the mail's own where the event names none."""
    said, mail = event.fields(name), event.fields("mail")
    named = said.values(recipients) if recipients else []
    own = [{"emailAddress": address} for address in mail.values("destination")]
    for recipient in named or own:
        try:
            yield reader(said, mail, Fields(recipient))
        except InvalidInput as exc:
            yield exc


def _bounce(bounce: Fields, mail: Fields, recipient: Fields) -> Report | None:
    label, subtype = bounce.name("bounceType"), bounce.name("bounceSubType", "")
    status, answer = recipient.name("status", ""), recipient.words("diagnosticCode")
    kind = judged(ses_bounce(label, subtype), status=status, answer=answer)
    detail = f"{label} {subtype}: {answer}"
    return _report(kind, bounce, mail, recipient, status=status, detail=detail)


def _complaint(complaint: Fields, mail: Fields, recipient: Fields) -> Report | None:
    label = complaint.name("complaintFeedbackType", "")
    kind = ses_complaint(label).kind
    return _report(kind, complaint, mail, recipient, detail=f"Complaint {label}".strip())


def _left(change: Fields, mail: Fields, recipient: Fields) -> Report | None:
    """An opt-out by the link of SES's own list management; back they come by signing up here."""
    wishes = change.fields("newTopicPreferences")
    kind = UNSUBSCRIBE if wishes.has("unsubscribeAll") and wishes.flag("unsubscribeAll") else None
    return _report(kind, change, mail, recipient, detail="Subscription")


def _report(
    kind: EventKind | None,
    event: Fields,
    mail: Fields,
    recipient: Fields,
    *,
    status: str = "",
    detail: str = "",
) -> Report | None:
    if kind is None:
        return None
    address = recipient.name("emailAddress")
    at = event.instant("timestamp")
    unique = event.name("feedbackId", "") or f"{mail.name('messageId')} {detail} {at.isoformat()}"
    return Report(
        key=event_key(PROVIDER, unique, address),
        kind=kind,
        happened_at=at,
        address=address,
        message_ids=tuple(_message_ids(mail)),
        senders=(mail.name("source", "").rpartition("<")[2].rstrip(">"),),
        status=status,
        detail=detail,
    )


def _message_ids(mail: Fields) -> Iterator[str]:
    """The Message-ID that we gave: SES puts its own in its place, but tells the original headers
    where the identity or the configuration set says so.
    """
    for item in mail.values("headers"):
        header = Fields(item)
        if header.text("name").lower() == "message-id":
            yield header.words("value")
    if mail.has("commonHeaders"):
        yield mail.fields("commonHeaders").words("messageId")


routes = [Route("/webhooks/ses", ses, methods=["POST"])]

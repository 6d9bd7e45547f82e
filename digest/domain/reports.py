"""What a mail provider's webhook reports, and what each of its words says about the address.

One table a provider. The words are the provider's, what follows from them stands in
`returns_policy`; where a receiving server's own answer comes along, it says more than the label.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from digest.domain.bounces import classify, status_of, tells_why
from digest.domain.returns_policy import EventKind

HARD, SOFT, POLICY = EventKind.HARD, EventKind.SOFT, EventKind.POLICY
COMPLAINT, UNSUBSCRIBE = EventKind.COMPLAINT, EventKind.UNSUBSCRIBE

_REPLY_CODE = re.compile(r"(?:^|[\s;])([45]\d\d)(?![\d.])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One event about one mail, from a provider that proved itself.

    Whose mail it was is told by the first of these that is one of ours: `message_ids`, `senders`
    (envelope senders), `address`. `key` is the same whenever the same event is told again, and
    holds no address.
    """

    key: str
    kind: EventKind
    happened_at: datetime
    address: str = ""
    message_ids: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    status: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What one request held: events that mean something, how many that mean nothing, and why
    others could not be read.
    """

    reports: tuple[Report, ...] = ()
    ignored: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a provider's label means; nothing follows where `kind` is None.

    With `by_words` the receiving server's answer decides where it says anything, but never HARD
    where the provider did not say so itself.
    """

    kind: EventKind | None
    by_words: bool = False


def judged(verdict: Verdict, *, status: str = "", answer: str = "") -> EventKind | None:
    """What an event says: by its label, and by the server's answer where the label leaves it open.

    `status` is an enhanced code (RFC 3463), `answer` the server's words, perhaps with the
    `smtp;` of a diagnostic code (RFC 3464 §2.3.6).
    """
    said = f"{status} {answer}".strip()
    code = status_of(said)
    if not verdict.by_words or not (tells_why(answer) or (code and code[2])):
        return verdict.kind
    reply = _REPLY_CODE.search(answer)
    found = EventKind(classify(int(reply[1]) if reply else 0, said).value)
    return SOFT if found is HARD and verdict.kind is not HARD else found


def event_key(provider: str, *parts: object) -> str:
    """A key for what has no identifier of its own, or whose identifier several recipients share."""
    whole = "\0".join(map(str, parts)).encode("utf-8", "replace")
    return f"{provider}:{hashlib.sha256(whole).hexdigest()[:40]}"


def ses_bounce(kind: str, subtype: str) -> Verdict:
    """What an SES bounce means; a subtype that is not known yet goes by its type."""
    unknown = Verdict(SOFT, by_words=True)
    return _SES_BOUNCES.get((kind, subtype)) or _SES_BOUNCES.get((kind, ""), unknown)


def ses_complaint(feedback_type: str) -> Verdict:
    """What an SES complaint means by its complaintFeedbackType, which is often empty."""
    return Verdict(None) if feedback_type.lower() in _SES_NO_COMPLAINTS else Verdict(COMPLAINT)


def sendgrid_event(event: str, kind: str, classification: str, reason: str) -> Verdict:
    """What a SendGrid event means; `kind` is its `type`, `classification` its
    `bounce_classification`.
    """
    if event in ("bounce", "blocked"):
        blocked = event == "blocked" or kind.lower() == "blocked"
        table = _SENDGRID_BLOCKS if blocked else _SENDGRID_BOUNCES
        return table.get(classification.lower(), table[""])
    if event == "dropped":
        return _SENDGRID_DROPS.get(reason.strip().lower(), Verdict(POLICY))
    return _SENDGRID_EVENTS.get(event, Verdict(None))


def postmark_bounce(kind: str) -> Verdict:
    """What a Postmark bounce means by its Type; a type that is not known yet by its words."""
    return _POSTMARK_BOUNCES.get(kind, Verdict(SOFT, by_words=True))


def postmark_suppression(reason: str, origin: str) -> Verdict:
    """What a Postmark SubscriptionChange means that stops sending."""
    return _POSTMARK_SUPPRESSIONS.get((reason, origin)) or _POSTMARK_SUPPRESSIONS.get(
        (reason, ""), Verdict(None)
    )


# Amazon SES Developer Guide, "Amazon SNS notification contents for Amazon SES", "Bounce types".
_SES_BOUNCES: Mapping[tuple[str, str], Verdict] = {
    # "a hard bounce message": also for refusals of content or reputation, which the words tell
    ("Permanent", "General"): Verdict(HARD, by_words=True),
    # "it was not possible to retrieve the recipient email address from the bounce message"
    ("Permanent", "NoEmail"): Verdict(HARD, by_words=True),
    # on Amazon's own list after "a recent history of producing hard bounces"
    ("Permanent", "Suppressed"): Verdict(HARD),
    # on the account's list; SES sends nothing there any more, whatever we do
    ("Permanent", "OnAccountSuppressionList"): Verdict(HARD),
    # left a contact list of SES's own list management
    ("Permanent", "UnsubscribedRecipient"): Verdict(UNSUBSCRIBE),
    ("Permanent", ""): Verdict(SOFT, by_words=True),
    # "an active automatic response rule (such as an 'out of the office' message)" comes as this,
    # without a server's answer: nobody who is on holiday must be counted out
    ("Transient", "General"): Verdict(None, by_words=True),
    ("Transient", "MailboxFull"): Verdict(SOFT),
    ("Transient", "MessageTooLarge"): Verdict(POLICY),
    ("Transient", "ContentRejected"): Verdict(POLICY),
    ("Transient", "AttachmentRejected"): Verdict(POLICY),
    ("Transient", ""): Verdict(SOFT, by_words=True),
    # "didn't contain enough information for Amazon SES to determine the reason"
    ("Undetermined", ""): Verdict(SOFT, by_words=True),
}

# The same page, "Complaint object"; the types are those of RFC 5965 §7.3 and RFC 6591 (that is
# auth-failure). As of complaints by mail, what no person complained about is none.
_SES_NO_COMPLAINTS = frozenset({"not-spam", "auth-failure"})

# Twilio SendGrid, "Event Webhook Reference" and "Bounces": bounce_classification.
_SENDGRID_BOUNCES: Mapping[str, Verdict] = {
    "invalid address": Verdict(HARD, by_words=True),
    "mailbox unavailable": Verdict(SOFT, by_words=True),
    "technical failure": Verdict(SOFT),
    "technical": Verdict(SOFT),
    "content": Verdict(POLICY),
    "reputation": Verdict(POLICY),
    "frequency or volume too high": Verdict(POLICY),
    # type `bounce` is "a hard bounce"; SendGrid puts it on its list and sends nothing there
    "unclassified": Verdict(HARD, by_words=True),
    "": Verdict(HARD, by_words=True),
}
# Type `blocked`: refused for "reasons related to the message, not the recipient address"; the
# address is not put on SendGrid's list.
_SENDGRID_BLOCKS: Mapping[str, Verdict] = {
    "invalid address": Verdict(SOFT),
    "mailbox unavailable": Verdict(SOFT),
    "technical failure": Verdict(SOFT),
    "technical": Verdict(SOFT),
    "content": Verdict(POLICY),
    "reputation": Verdict(POLICY),
    "frequency or volume too high": Verdict(POLICY),
    "unclassified": Verdict(POLICY, by_words=True),
    "": Verdict(POLICY, by_words=True),
}
# "Drops": the reasons as the reference lists them. SendGrid did not try: its lists forbade it.
_SENDGRID_DROPS: Mapping[str, Verdict] = {
    "bounced address": Verdict(HARD),
    "invalid": Verdict(HARD),
    "spam reporting address": Verdict(COMPLAINT),
    "unsubscribed address": Verdict(UNSUBSCRIBE),
    "spam content": Verdict(POLICY),
    "invalid smtpapi header": Verdict(POLICY),
    "recipient list over package quota": Verdict(POLICY),
}
_SENDGRID_EVENTS: Mapping[str, Verdict] = {
    "spamreport": Verdict(COMPLAINT),
    "unsubscribe": Verdict(UNSUBSCRIBE),
    "group_unsubscribe": Verdict(UNSUBSCRIBE),
    # "temporarily rejected": SendGrid tries for 72 hours more, and then says bounce or blocked
    "deferred": Verdict(None),
    # nobody comes back but by signing up here
    "group_resubscribe": Verdict(None),
    "processed": Verdict(None),
    "delivered": Verdict(None),
    "open": Verdict(None),
    "click": Verdict(None),
}

# Postmark, "Bounce API": bounce types, with their TypeCode.
_POSTMARK_BOUNCES: Mapping[str, Verdict] = {
    "HardBounce": Verdict(HARD),  # 1: unknown user, mailbox not found
    "Transient": Verdict(None),  # 2: "message delayed", as a delay notice by mail
    "Unsubscribe": Verdict(UNSUBSCRIBE),  # 16
    "Subscribe": Verdict(None),  # 32: nobody comes back but by signing up here
    "AutoResponder": Verdict(None),  # 64
    "AddressChange": Verdict(None),  # 128: only they themselves can change it
    "DnsError": Verdict(SOFT),  # 256: "a temporary DNS error"
    "SpamNotification": Verdict(POLICY),  # 512: "classified as spam, bulk mail, …" by the server
    "OpenRelayTest": Verdict(None),  # 1024
    "Unknown": Verdict(SOFT, by_words=True),  # 2048
    "SoftBounce": Verdict(SOFT),  # 4096: mailbox full, account disabled, out of disk space
    "VirusNotification": Verdict(POLICY),  # 8192
    "ChallengeVerification": Verdict(None),  # 16384: asks whether we are human
    "BadEmailAddress": Verdict(HARD),  # 100000: no valid address
    "SpamComplaint": Verdict(COMPLAINT),  # 100001: "explicitly marked this message as spam"
    "ManuallyDeactivated": Verdict(UNSUBSCRIBE),  # 100002: Postmark sends nothing there any more
    "Unconfirmed": Verdict(POLICY),  # 100003: the sender signature was not confirmed
    "Blocked": Verdict(POLICY),  # 100006: "blocked from this ISP due to content or blacklisting"
    "SMTPApiError": Verdict(POLICY),  # 100007
    "InboundError": Verdict(None),  # 100008: about mail to us
    "DMARCPolicy": Verdict(POLICY),  # 100009
    "TemplateRenderingFailed": Verdict(POLICY),  # 100010
}

# Postmark, "Subscription change webhook": SuppressionReason and Origin.
_POSTMARK_SUPPRESSIONS: Mapping[tuple[str, str], Verdict] = {
    ("HardBounce", ""): Verdict(HARD),
    ("SpamComplaint", ""): Verdict(COMPLAINT),
    # "if a recipient unsubscribes, they will be suppressed with … ManualSuppression"; the same of
    # the operator (Customer) or Postmark (Admin): what cannot arrive is not sent
    ("ManualSuppression", ""): Verdict(UNSUBSCRIBE),
}

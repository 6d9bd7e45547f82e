"""Subscribers: an address, its settings, its status, and which changes of status there are."""

import hmac
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from digest.domain.interests import Interest
from digest.domain.schedule import Schedule
from digest.errors import InvalidInput

SubscriberId = NewType("SubscriberId", int)

MOST_PAPERS = 50

# Reserved names are accepted (CONTRACT §4); the library's manual gives this way to say so.
SPECIAL_USE_DOMAIN_NAMES.clear()

_TOP_OF_DIGITS = re.compile(r"(?:^|\.)[0-9]+$")  # no top-level name is a number (RFC 3696 §2)


class Status(StrEnum):
    """pending until confirmed; paused by wish; unsubscribed by wish; suppressed by bounce or
    complaint.
    """

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


# From each status to those it may become; staying as it is needs no leave. Nobody leaves
# unsubscribed or suppressed but by their own act: `domain.joining` says who may.
_CHANGES: dict[Status, tuple[Status, ...]] = {
    Status.PENDING: (Status.ACTIVE, Status.PAUSED, Status.UNSUBSCRIBED, Status.SUPPRESSED),
    Status.ACTIVE: (Status.PAUSED, Status.UNSUBSCRIBED, Status.SUPPRESSED),
    Status.PAUSED: (Status.ACTIVE, Status.UNSUBSCRIBED, Status.SUPPRESSED),
    Status.UNSUBSCRIBED: (Status.SUPPRESSED,),
    Status.SUPPRESSED: (),
}


class Channel(StrEnum):
    """Which way a wish came: the operator's command line or file, or the person's own act."""

    CLI = "cli"
    IMPORT = "import"
    FORM = "form"
    LINK = "link"
    MAIL = "mail"


class ConsentEvent(StrEnum):
    """What the evidence of consent records."""

    SUBSCRIBED = "subscribed"  # asked for; a confirmation is on its way
    CONFIRMED = "confirmed"
    PAUSED = "paused"
    RESUMED = "resumed"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"  # took the opt-out back, at once and by their own act
    SUPPRESSED = "suppressed"
    ADDRESS_CHANGED = "address changed"  # confirmed at the new one


class SuppressionReason(StrEnum):
    """Why an address must not be mailed; `erased` keeps imports from bringing it back."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    REQUEST = "request"
    ERASED = "erased"


class EmptyDay(StrEnum):
    """What to do when nothing matches: the trending papers, said so plainly, or no mail."""

    TRENDING = "trending"
    SKIP = "skip"


@dataclass(frozen=True, kw_only=True, slots=True)
class Preferences:
    """How a subscriber wants the digest.

    `max_papers` is 1 to 50; `threshold` is the least relevance, 0 to 1, None for the service's
    default; below `min_matches` matches the day counts as empty.
    """

    schedule: Schedule = field(default_factory=Schedule)
    max_papers: int = 10
    threshold: float | None = None
    empty_day: EmptyDay = EmptyDay.TRENDING
    min_matches: int = 1
    text_only: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.max_papers <= MOST_PAPERS:
            raise InvalidInput(f"max_papers {self.max_papers}: give 1 to {MOST_PAPERS}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InvalidInput(f"threshold {self.threshold:g}: give 0 to 1")
        if not 1 <= self.min_matches <= MOST_PAPERS:
            raise InvalidInput(f"min_matches {self.min_matches}: give 1 to {MOST_PAPERS}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscriber:
    """One subscriber as the store holds it; `resume_at` is when a pause ends, None for never."""

    id: SubscriberId
    email: str
    status: Status
    interests: tuple[Interest, ...] = ()
    preferences: Preferences = field(default_factory=Preferences)
    next_digest_at: datetime | None = None
    resume_at: datetime | None = None


def may_become(status: Status, other: Status) -> bool:
    """Whether a subscriber of that status may be given the other one."""
    return status is other or other in _CHANGES[status]


def address(text: str) -> str:
    """The one mail address in `text`, in its canonical spelling (domain in lower case, IDNA
    decoded; all in NFC).

    Checked by syntax alone, without DNS; reserved domains such as example.com are accepted, a
    domain without a dot or that ends in a number is not, nor are quoted local parts, comments and
    display names. Raises InvalidInput that quotes at most the first 60 characters.
    """
    cleaned = text.strip(" \t\u00a0")  # no other white space: a line end may begin a new header
    try:
        found = validate_email(
            cleaned,
            check_deliverability=False,
            globally_deliverable=False,  # our own check of the domain is below
            strict=True,  # RFC 5321 §4.5.3.1.1: 64 octets before the @-sign
            allow_domain_literal=False,
        )
    except (EmailNotValidError, UnicodeError) as exc:
        raise _no_address(cleaned, " ".join(str(exc).split())) from exc
    domain = found.ascii_domain or ""
    if "." not in domain or _TOP_OF_DIGITS.search(domain):
        raise _no_address(cleaned, "the part after the @-sign is no full domain name")
    return found.normalized


def ascii_domain(domain: str) -> str:
    """A mail domain as it goes over the wire: in lower case, and in ASCII by IDNA 2008.

    Raises InvalidInput for one that cannot be so.
    """
    if domain.isascii():
        return domain.lower()
    try:
        found = validate_email(f"a@{domain}", check_deliverability=False, test_environment=True)
    except (EmailNotValidError, UnicodeError) as exc:
        raise InvalidInput(f"{domain[:60]!r} is no mail domain: {exc}") from exc
    return found.ascii_domain


def _no_address(text: str, why: str) -> InvalidInput:
    shown = text if len(text) <= 60 else text[:60] + "…"
    return InvalidInput(f"{shown!r} is not one mail address: {why}")


def address_key(email: str) -> str:
    """What makes two addresses the same one: the whole address without regard to case.

    Lower case and not folded case: that would make `strasse@` of `straße@`, somebody else's.
    """
    return unicodedata.normalize("NFC", email.lower())


def address_hash(pepper: str, email: str) -> str:
    """What remains of an erased address: HMAC-SHA256 of its key, in hexadecimal."""
    key = address_key(email).encode()
    return hmac.digest(pepper.encode(), key, "sha256").hex()

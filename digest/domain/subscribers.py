"""Subscribers: an address, its settings and its status."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from email_validator import EmailNotValidError, validate_email

from digest.domain.interests import Interest
from digest.domain.schedule import Schedule
from digest.errors import InvalidInput

SubscriberId = NewType("SubscriberId", int)

MOST_PAPERS = 50


class Status(StrEnum):
    """pending until confirmed; paused by wish; unsubscribed by wish; suppressed by bounce or
    complaint.
    """

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


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
    """One subscriber as the store holds it."""

    id: SubscriberId
    email: str
    status: Status
    interests: tuple[Interest, ...] = ()
    preferences: Preferences = field(default_factory=Preferences)
    next_digest_at: datetime | None = None


def address(text: str) -> str:
    """The one mail address in `text`, in its canonical spelling (domain in lower case, IDNA
    decoded).

    Checked by syntax alone, without DNS; reserved domains such as example.com are accepted. Raises
    InvalidInput that quotes at most the first 60 characters.
    """
    cleaned = text.strip()
    try:
        found = validate_email(
            cleaned, check_deliverability=False, test_environment=True, allow_domain_literal=False
        )
    except (EmailNotValidError, UnicodeError) as exc:
        shown = cleaned if len(cleaned) <= 60 else cleaned[:60] + "…"
        raise InvalidInput(f"{shown!r} is not one mail address: {exc}") from exc
    return found.normalized


def address_key(email: str) -> str:
    """What makes two addresses the same one: the whole address without regard to case."""
    return email.casefold()

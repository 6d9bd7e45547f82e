"""Builders: a valid value of each domain type, of which a test names only what it is about."""

from datetime import UTC, date, datetime
from typing import Any

from digest.domain.interests import Interest, interest
from digest.domain.papers import (
    Alias,
    Attention,
    Batch,
    Listing,
    Outcome,
    Paper,
    PaperId,
    Scheme,
    SourceKind,
)
from digest.domain.schedule import Schedule
from digest.domain.subscribers import Preferences, Status, Subscriber, SubscriberId

NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)


def an_arxiv_alias(value: str) -> Alias:
    return Alias(scheme=Scheme.ARXIV, value=value)


def a_listing(
    title: str = "Learning to Wait", *, arxiv: str | None = None, **changes: Any
) -> Listing:
    """A listing by Ada Lovelace; `arxiv` gives it that arXiv id."""
    values: dict[str, Any] = {
        "title": title,
        "abstract": f"We study {title.lower()} and find it works.",
        "authors": ("Ada Lovelace", "Alan Turing"),
        "categories": ("cs.LG",),
        "listed_on": date(2026, 3, 12),
    }
    if arxiv:
        values["aliases"] = (an_arxiv_alias(arxiv),)
        values["url"] = f"https://arxiv.org/abs/{arxiv}"
    return Listing(**values | changes)


def a_batch(*listings: Listing, source: str = "huggingface", **changes: Any) -> Batch:
    """A batch of these listings, fetched at noon of 2026-03-12 UTC."""
    values: dict[str, Any] = {
        "source": source,
        "kind": SourceKind.HUGGINGFACE,
        "fetched_at": NOON,
        "outcome": Outcome.PAPERS if listings else Outcome.EMPTY,
        "listings": listings,
    }
    return Batch(**values | changes)


def attention(
    upvotes: int | None = None, comments: int | None = None, stars: int | None = None
) -> Attention:
    return Attention(upvotes=upvotes, comments=comments, stars=stars)


def a_paper(title: str = "Learning to Wait", *, number: int = 1, **changes: Any) -> Paper:
    """A paper with id `number`, first seen at noon of 2026-03-12 UTC."""
    values: dict[str, Any] = {
        "id": PaperId(number),
        "title": title,
        "abstract": f"We study {title.lower()} and find it works.",
        "authors": ("Ada Lovelace", "Alan Turing"),
        "categories": ("cs.LG",),
        "url": f"https://arxiv.org/abs/2603.{number:05d}",
        "first_seen_at": NOON,
    }
    return Paper(**values | changes)


def some_interests(*phrases: str) -> tuple[Interest, ...]:
    return tuple(interest(phrase) for phrase in phrases)


def a_subscriber(
    email: str = "ada@example.com", *phrases: str, number: int = 1, **changes: Any
) -> Subscriber:
    """An active subscriber in UTC at 8, interested in `phrases`; `schedule=` is taken too."""
    schedule = changes.pop("schedule", Schedule())
    preferences = changes.pop("preferences", Preferences(schedule=schedule))
    values: dict[str, Any] = {
        "id": SubscriberId(number),
        "email": email,
        "status": Status.ACTIVE,
        "interests": some_interests(*phrases),
        "preferences": preferences,
    }
    return Subscriber(**values | changes)

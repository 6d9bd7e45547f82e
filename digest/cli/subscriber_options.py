"""The options that describe a subscriber, and what they mean."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from digest.cli.output import instant
from digest.domain.interests import Interest, InterestKind, interest, written
from digest.domain.schedule import WEEKDAYS, Frequency
from digest.domain.subscribers import EmptyDay, Preferences, Subscriber
from digest.errors import InvalidInput, UsageError

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The subscriber's address.")]
Phrases = Annotated[
    list[str] | None,
    typer.Option("-i", "--interest", metavar="PHRASE", help="Wanted; a weight as in 'RAG^2'."),
]
Unwanted = Annotated[
    list[str] | None, typer.Option("-x", "--exclude", metavar="PHRASE", help="Never wanted.")
]
Authors = Annotated[
    list[str] | None, typer.Option("--author", metavar="NAME", help="An author to follow.")
]
Categories = Annotated[
    list[str] | None, typer.Option("--category", metavar="CAT", help="A category, such as cs.CL.")
]
Zone = Annotated[
    str | None, typer.Option("--tz", metavar="ZONE", help="Time zone, such as Europe/Paris.")
]
Hour = Annotated[int | None, typer.Option("--hour", help="Local hour of the digest, 0 to 23.")]
Often = Annotated[Frequency | None, typer.Option("--frequency", help="How often.")]
Weekday = Annotated[
    str | None, typer.Option("--weekday", metavar="DAY", help="Of a weekly digest, such as monday.")
]
MaxPapers = Annotated[
    int | None, typer.Option("--max-papers", metavar="N", help="Most papers in one digest.")
]
Threshold = Annotated[
    float | None, typer.Option("--threshold", metavar="R", help="Least relevance, 0 to 1.")
]
Empty = Annotated[
    EmptyDay | None, typer.Option("--empty-day", help="What to do when nothing matches.")
]
MinMatches = Annotated[
    int | None, typer.Option("--min-matches", metavar="N", help="Fewer count as an empty day.")
]
TextOnly = Annotated[
    bool | None, typer.Option("--text-only/--no-text-only", help="Mails without HTML.")
]


def read_interests(
    phrases: list[str] | None,
    excluded: list[str] | None,
    authors: list[str] | None,
    categories: list[str] | None,
) -> tuple[Interest, ...]:
    """The interests of the options, in their order. Raises UsageError for one that cannot be."""
    given = [(phrase, InterestKind.PHRASE, False) for phrase in phrases or ()]
    given += [(phrase, InterestKind.PHRASE, True) for phrase in excluded or ()]
    given += [(author, InterestKind.AUTHOR, False) for author in authors or ()]
    given += [(category, InterestKind.CATEGORY, False) for category in categories or ()]
    try:
        return tuple(interest(text, kind, excluded=never) for text, kind, never in given)
    except InvalidInput as exc:
        raise UsageError(str(exc)) from exc


def without(person: Subscriber, removed: list[str]) -> tuple[Interest, ...]:
    """The subscriber's interests but for those of these texts. Raises UsageError for a stranger."""
    keys = {interest(text).key: text for text in removed}
    known = {item.key for item in person.interests}
    for key, text in keys.items():
        if key not in known:
            raise UsageError(f"{person.email} has no interest {text!r}")
    return tuple(item for item in person.interests if item.key not in keys)


def changed_preferences(
    before: Preferences,
    schedule: tuple[str | None, int | None, Frequency | None, str | None],
    rest: tuple[int | None, float | None, EmptyDay | None, int | None, bool | None],
) -> Preferences:
    """Preferences with what the options give. Raises UsageError for a value that cannot be.

    `schedule` is zone, hour, frequency, weekday; `rest` is most papers, threshold, empty day, least
    matches, text only; None leaves what was.
    """
    tz, hour, frequency, weekday = schedule
    names = ("max_papers", "threshold", "empty_day", "min_matches", "text_only")
    pairs = zip(names, rest, strict=True)
    given: dict[str, Any] = {name: value for name, value in pairs if value is not None}
    try:
        when: dict[str, Any] = {"timezone": tz, "hour": hour, "frequency": frequency}
        when["weekday"] = None if weekday is None else _weekday(weekday)
        chosen = {name: value for name, value in when.items() if value is not None}
        return replace(before, schedule=replace(before.schedule, **chosen), **given)
    except InvalidInput as exc:
        raise UsageError(str(exc)) from exc


def as_object(person: Subscriber) -> dict[str, Any]:
    """The subscriber as listings give it."""
    preferences, schedule = person.preferences, person.preferences.schedule

    def texts(kind: InterestKind, *, excluded: bool = False) -> list[str]:
        return [
            written(item)
            for item in person.interests
            if item.kind is kind and item.excluded is excluded
        ]

    return {
        "id": person.id,
        "email": person.email,
        "status": person.status.value,
        "interests": texts(InterestKind.PHRASE),
        "exclude": texts(InterestKind.PHRASE, excluded=True),
        "authors": texts(InterestKind.AUTHOR),
        "categories": texts(InterestKind.CATEGORY),
        "timezone": schedule.timezone,
        "hour": schedule.hour,
        "frequency": schedule.frequency.value,
        "weekday": WEEKDAYS[schedule.weekday],
        "max_papers": preferences.max_papers,
        "threshold": preferences.threshold,
        "empty_day": preferences.empty_day.value,
        "min_matches": preferences.min_matches,
        "text_only": preferences.text_only,
        "next_digest_at": instant(person.next_digest_at),
    }


def _weekday(text: str) -> int:
    try:
        return WEEKDAYS.index(text.strip().lower())
    except ValueError as exc:
        raise UsageError(f"--weekday {text!r}: give one of {', '.join(WEEKDAYS)}") from exc

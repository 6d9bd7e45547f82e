"""The options that describe a subscriber, and what they mean."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from digest.cli.output import instant, point
from digest.domain.interests import (
    Interest,
    InterestError,
    InterestKind,
    in_its_list,
    interest,
)
from digest.domain.records import by_column
from digest.domain.schedule import WEEKDAYS, Frequency
from digest.domain.subscribers import EmptyDay, Preferences, Subscriber
from digest.errors import InvalidInput, UsageError

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The subscriber's address.")]
Phrases = Annotated[
    list[str] | None,
    typer.Option(
        "-i",
        "--interest",
        metavar="INTEREST",
        help="Wanted: words, '\"exact words\"', author:NAME, cat:cs.CL, venue:NAME, several joined"
        " by AND, '-words' for never; a weight as in 'RAG^2'. See docs/interests.md.",
    ),
]
Unwanted = Annotated[
    list[str] | None,
    typer.Option("-x", "--exclude", metavar="INTEREST", help="Never wanted; written as for -i."),
]
Authors = Annotated[
    list[str] | None, typer.Option("--author", metavar="NAME", help="As -i author:NAME.")
]
Categories = Annotated[
    list[str] | None, typer.Option("--category", metavar="CAT", help="As -i cat:CAT.")
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
    return tuple(_read(text, kind, excluded=never) for text, kind, never in given)


def without(person: Subscriber, removed: list[str]) -> tuple[Interest, ...]:
    """The subscriber's interests but for those of these texts. Raises UsageError for a stranger.

    Plain words name every interest of these words, excluded or not.
    """
    kept = person.interests
    for text in removed:
        wanted = _read(text, InterestKind.PHRASE, excluded=False)
        rest = tuple(item for item in kept if not _is_named(item, wanted))
        if rest == kept:
            raise UsageError(f"{person.email} has no interest {text!r}")
        kept = rest
    return kept


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
        when["unknown"] = None if tz is None else ""
        chosen = {name: value for name, value in when.items() if value is not None}
        return replace(before, schedule=replace(before.schedule, **chosen), **given)
    except InvalidInput as exc:
        raise UsageError(str(exc)) from exc


def as_object(person: Subscriber) -> dict[str, Any]:
    """The subscriber as listings give it."""
    preferences, schedule = person.preferences, person.preferences.schedule

    lists = by_column(person.interests)
    return {
        "id": person.id,
        "email": person.email,
        "status": person.status.value,
        **{name: [in_its_list(item) for item in items] for name, items in lists.items()},
        "timezone": schedule.zone_name,
        "hour": schedule.hour,
        "frequency": schedule.frequency.value,
        "weekday": WEEKDAYS[schedule.weekday],
        "max_papers": preferences.max_papers,
        "threshold": preferences.threshold,
        "empty_day": preferences.empty_day.value,
        "min_matches": preferences.min_matches,
        "text_only": preferences.text_only,
        "next_digest_at": instant(person.next_digest_at),
        "resume_at": instant(person.resume_at),
    }


def _read(text: str, kind: InterestKind, *, excluded: bool) -> Interest:
    try:
        return interest(text, kind, excluded=excluded)
    except InterestError as exc:
        point(*exc.pointed[1:])
        raise UsageError(str(exc)) from exc


def _is_named(item: Interest, wanted: Interest) -> bool:
    if wanted.kind is InterestKind.PHRASE and not wanted.excluded:
        return item.key == wanted.key
    return (item.kind, item.key, item.excluded) == (wanted.kind, wanted.key, wanted.excluded)


def _weekday(text: str) -> int:
    try:
        return WEEKDAYS.index(text.strip().lower())
    except ValueError as exc:
        raise UsageError(f"--weekday {text!r}: give one of {', '.join(WEEKDAYS)}") from exc

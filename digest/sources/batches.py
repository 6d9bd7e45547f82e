"""Parsed entries → Batch: which kinds there are, and how a batch ends."""

from dataclasses import replace
from datetime import date, datetime

from digest.domain.papers import Batch, Outcome, SourceKind
from digest.errors import UsageError
from digest.sources.entries import Parsed

FORMATS = (*(kind.value for kind in SourceKind), "hf-json")


def kind_of(name: str) -> SourceKind:
    """The kind that `--format` names; `hf-json` is a saved reply of `huggingface`."""
    try:
        return SourceKind.HUGGINGFACE if name == "hf-json" else SourceKind(name)
    except ValueError as exc:
        raise UsageError(f"format {name!r} is unknown: use one of {', '.join(FORMATS)}") from exc


def batch_of(
    found: Parsed,
    *,
    source: str,
    kind: SourceKind,
    now: datetime,
    day: date | None,
    url: str | None = None,
) -> Batch:
    """The parsed entries as a batch: papers, a quiet day, or an empty one; `day` dates them all."""
    outcome, note = _outcome(found, kind, day or now.date())
    listings = found.listings
    if day:
        listings = tuple(replace(listing, listed_on=day) for listing in listings)
    return Batch(
        source=source,
        kind=kind,
        fetched_at=now,
        outcome=outcome,
        listings=listings,
        rejected=found.rejected,
        note=note,
        batch_on=day,
        url=url,
    )


def _outcome(found: Parsed, kind: SourceKind, day: date) -> tuple[Outcome, str]:
    if found.listings:
        return Outcome.PAPERS, ""
    # the daily papers are picked on working days
    is_weekend = kind is SourceKind.HUGGINGFACE and day.weekday() >= 5
    if found.quiet or is_weekend:
        return Outcome.QUIET, "nothing is announced on such a day (weekend)"
    return Outcome.EMPTY, "a valid reply, but no papers in it"

"""Bytes of any kind of source → Batch: which parser reads what, and how a batch ends."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

from digest.domain.papers import Batch, Outcome, SourceKind
from digest.errors import SourceUnreadable, UsageError
from digest.sources import arxiv, biorxiv, feed, huggingface, jsonl, openreview, page
from digest.sources.entries import Parsed

_PLAIN: dict[SourceKind, Callable[[bytes, datetime], Parsed]] = {
    SourceKind.HUGGINGFACE: huggingface.parse,
    SourceKind.BIORXIV: biorxiv.parse,
    SourceKind.OPENREVIEW: openreview.parse,
    SourceKind.PAGE: page.parse,
    SourceKind.JSONL: jsonl.parse,
}
_XML: dict[SourceKind, Callable[..., Parsed]] = {
    SourceKind.ARXIV_RSS: arxiv.parse_rss,
    SourceKind.ARXIV_API: arxiv.parse_api,
    SourceKind.FEED: feed.parse,
}
FORMATS = (*(kind.value for kind in SourceKind), "hf-json")


def kind_of(name: str) -> SourceKind:
    """The kind that `--format` names; `hf-json` is a saved reply of `huggingface`."""
    try:
        return SourceKind.HUGGINGFACE if name == "hf-json" else SourceKind(name)
    except ValueError as exc:
        raise UsageError(f"format {name!r} is unknown: use one of {', '.join(FORMATS)}") from exc


def parsed(
    kind: SourceKind,
    body: bytes,
    now: datetime,
    *,
    url: str | None = None,
    content_type: str = "",
) -> Parsed:
    """The body as its kind's parser reads it.

    Raises SourceUnreadable where it is something else, or where none of its entries can be used.
    """
    if kind in _XML:
        found = _XML[kind](body, now, url=url, content_type=content_type)
    else:
        found = _PLAIN[kind](body, now)
    if found.rejected and not found.listings:
        first = found.rejected[0]
        raise SourceUnreadable(
            f"none of {len(found.rejected)} entries can be used; {first.where}: {first.reason}"
        )
    return found


def parse_bytes(
    fmt: str,
    body: bytes,
    *,
    source: str,
    now: datetime,
    day: date | None = None,
    url: str | None = None,
) -> Batch:
    """The batch in a saved reply of format `fmt`.

    Raises UsageError for an unknown format, SourceUnreadable when nothing of it can be used.
    """
    kind = kind_of(fmt)
    found = parsed(kind, body, now, url=url)
    return batch_of(found, source=source, kind=kind, now=now, day=day, url=url)


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

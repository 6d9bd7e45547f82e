"""Bytes of any kind of source → listings: which parser reads what.

What comes from outside is read in a cell: see prison. Here it is read in this very process.
"""

from collections.abc import Callable
from datetime import date, datetime

from digest.domain.papers import Batch, SourceKind
from digest.errors import SourceUnreadable
from digest.sources import arxiv, biorxiv, feed, huggingface, jsonl, openreview, page
from digest.sources.batches import FORMATS, batch_of, kind_of
from digest.sources.entries import Parsed

__all__ = ("FORMATS", "batch_of", "kind_of", "parse_bytes", "parsed")

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
    """The batch in a saved reply of format `fmt`, read in this process: for bytes of our own.

    Raises UsageError for an unknown format, SourceUnreadable when nothing of it can be used.
    """
    kind = kind_of(fmt)
    found = parsed(kind, body, now, url=url)
    return batch_of(found, source=source, kind=kind, now=now, day=day, url=url)

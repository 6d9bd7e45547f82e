"""Papers, what a batch says of them, and the identity that makes two listings one paper."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NewType

PaperId = NewType("PaperId", int)


class Scheme(StrEnum):
    """Where an identifier is unique."""

    ARXIV = "arxiv"
    DOI = "doi"
    OPENREVIEW = "openreview"
    BIORXIV = "biorxiv"
    TITLE = "title"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alias:
    """One name of a paper, unique within its scheme; an arXiv id carries no version."""

    scheme: Scheme
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Links:
    """Further addresses of a paper, each http(s) or None."""

    pdf: str | None = None
    code: str | None = None
    project: str | None = None
    discussion: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention:
    """Counts that a source shows beside a paper; None where it shows none."""

    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """One paper as one batch lists it, in plain text (no markup, no control characters).

    `aliases` holds the identifiers the source gave, best first, without the title alias.
    `listed_on` is the source's own day of the listing, where it has one.
    """

    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    aliases: tuple[Alias, ...] = ()
    url: str | None = None
    links: Links = field(default_factory=Links)
    tldr: str | None = None
    venue: str | None = None
    published_on: date | None = None
    listed_on: date | None = None
    attention: Attention = field(default_factory=Attention)


class SourceKind(StrEnum):
    """The formats a source can have; `--format` takes the same names and `hf-json`."""

    HUGGINGFACE = "huggingface"
    ARXIV_RSS = "arxiv-rss"
    ARXIV_API = "arxiv-api"
    BIORXIV = "biorxiv"
    OPENREVIEW = "openreview"
    FEED = "feed"
    PAGE = "page"
    JSONL = "jsonl"


class Outcome(StrEnum):
    """How one fetch of one source ended. Only `broken` and `fault` need a person."""

    PAPERS = "papers"
    UNCHANGED = "unchanged"  # 304, or the same bytes as last time
    EMPTY = "empty"  # a valid reply without papers on a day that could have had some
    QUIET = "quiet"  # a weekend or holiday on which this source announces nothing
    BROKEN = "broken"  # something came, but not what the source promises
    FAULT = "fault"  # nothing came: network, HTTP error, deadline, size cap


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """One entry of a batch that could not be used: `where` such as `entry 3` or `line 12`."""

    where: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What one fetch of one source brought.

    `note` says in one line why a batch is empty, quiet, broken or a fault; empty otherwise.
    `batch_on` is the day given by the operator (`--date`), which overrides the source's own.
    `etag` and `last_modified` are HTTP validators for the next conditional request.
    """

    source: str
    kind: SourceKind
    fetched_at: datetime
    outcome: Outcome
    listings: tuple[Listing, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    note: str = ""
    batch_on: date | None = None
    url: str | None = None
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """One reading of a paper's attention by one source.

    The counts held from `read_at` until at least `held_until` (both UTC): a re-read that finds the
    same counts moves `held_until`, one that finds others is a new signal. `listed_on` names the
    source's day, within which attention is compared.
    """

    paper_id: PaperId
    source: str
    listed_on: date
    read_at: datetime
    held_until: datetime
    attention: Attention


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """One work, whatever its version or the number of sources that listed it."""

    id: PaperId
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    url: str | None = None
    links: Links = field(default_factory=Links)
    tldr: str | None = None
    venue: str | None = None
    published_on: date | None = None
    first_seen_at: datetime

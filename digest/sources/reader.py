"""Read one source, live or from the disk: every way it can end is a Batch, none an exception."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from digest.domain.papers import Batch, Listing, Outcome, Rejected, SourceKind
from digest.errors import SourceError, SourceUnreachable, SourceUnreadable
from digest.sources.addresses import DEFAULT_URLS, first_url, next_url
from digest.sources.batches import batch_of, kind_of
from digest.sources.entries import Parsed
from digest.sources.http import Fetched, HttpClient, bare
from digest.sources.prison import PRISON, Prison

__all__ = ("DEFAULT_URLS", "SourceSpec", "read", "read_bytes", "read_file")

MOST_FILES = 1_000
MOST_OF_FILE = 256_000_000
_JSON = (SourceKind.HUGGINGFACE, SourceKind.BIORXIV, SourceKind.OPENREVIEW)
_ARXIV = (SourceKind.ARXIV_RSS, SourceKind.ARXIV_API)
_ACCEPT_JSON = "application/json, */*;q=0.1"
_ACCEPT_FEED = "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceSpec:
    """One configured source: `path` is a file or a folder of files; without path and url the kind's
    default address is asked.
    """

    name: str
    kind: SourceKind
    url: str | None = field(default=None, repr=False)
    path: Path | None = None


def read(
    spec: SourceSpec,
    http: HttpClient,
    *,
    now: datetime,
    day: date | None = None,
    etag: str | None = None,
    last_modified: str | None = None,
    prison: Prison = PRISON,
) -> Batch:
    """Fetch and parse one source; faults are outcomes with a one-line note, never exceptions.

    `day` is the operator's date: sources that can be asked for a day are, and it becomes the
    batch's. `etag` and `last_modified` are those of the last batch.
    """
    try:
        if spec.path is not None:
            return _read_path(spec, spec.path, now, day, prison)
        return _read_live(spec, http, now, day, (etag, last_modified), prison=prison)
    except SourceUnreachable as exc:
        return _failed(spec, Outcome.FAULT, exc, now, day)
    except SourceError as exc:
        return _failed(spec, Outcome.BROKEN, exc, now, day)


def read_bytes(
    fmt: str,
    body: bytes,
    *,
    source: str,
    now: datetime,
    day: date | None = None,
    prison: Prison = PRISON,
) -> Batch:
    """The batch in a saved reply of format `fmt`.

    Raises UsageError for an unknown format, SourceUnreadable when nothing of it can be used.
    """
    kind = kind_of(fmt)
    found = prison.parsed(kind, body, now)
    return batch_of(found, source=source, kind=kind, now=now, day=day)


def read_file(path: Path) -> bytes:
    """A file's bytes; raises SourceUnreachable where it is missing or larger than 256 MB.

    The cap of the network does not hold here: the operator chose the file.
    """
    try:
        with path.open("rb") as file:
            body = file.read(MOST_OF_FILE + 1)
    except OSError as exc:
        raise SourceUnreachable(f"{path}: {exc.strerror or exc}") from exc
    if len(body) > MOST_OF_FILE:
        raise SourceUnreachable(f"{path}: larger than {MOST_OF_FILE:,} bytes")
    return body


def _failed(
    spec: SourceSpec, outcome: Outcome, exc: SourceError, now: datetime, day: date | None
) -> Batch:
    return Batch(
        source=spec.name,
        kind=spec.kind,
        fetched_at=now,
        outcome=outcome,
        note=" ".join(str(exc).split()),
        batch_on=day,
        url=spec.url,
    )


def _read_live(
    spec: SourceSpec,
    http: HttpClient,
    now: datetime,
    day: date | None,
    validators: tuple[str | None, str | None],
    *,
    prison: Prison,
) -> Batch:
    base = spec.url or DEFAULT_URLS.get(spec.kind)
    if not base:
        raise SourceUnreachable(f"source {spec.name!r} of kind {spec.kind} needs a url or a path")
    url = first_url(spec.kind, base, now, day)
    first = _get(spec.kind, http, url, validators)
    if first.not_modified:
        return replace(
            batch_of(Parsed(), source=spec.name, kind=spec.kind, now=now, day=day, url=url),
            outcome=Outcome.UNCHANGED,
            note="not modified since the last fetch",
            etag=first.etag or validators[0],
            last_modified=first.last_modified or validators[1],
        )
    found, is_whole = _pages(spec.kind, http, url, first, now, prison=prison)
    batch = batch_of(found, source=spec.name, kind=spec.kind, now=now, day=day, url=url)
    # the validators of a first page say nothing about the others
    return replace(batch, etag=first.etag, last_modified=first.last_modified) if is_whole else batch


def _pages(
    kind: SourceKind, http: HttpClient, url: str, first: Fetched, now: datetime, *, prison: Prison
) -> tuple[Parsed, bool]:
    """All pages as one, and whether there was but one; a later page that fails is rejected."""
    page = _page(kind, first, now, prison)
    listings, refused = list(page.listings), list(page.rejected)
    received, pages = page.rows, 1
    _refuse_gap(page, received)
    here: str | None = url
    while here and (here := next_url(kind, here, page, received, pages)):
        try:
            reply = _get(kind, http, here, (None, None))
            page = _page(kind, reply, now, prison)
            _refuse_gap(page, received)
        except SourceError as exc:
            refused.append(Rejected(where=f"page {pages + 1}", reason=str(exc)))
            break
        listings += page.listings
        refused += page.rejected
        received, pages = received + page.rows, pages + 1
    whole = Parsed(
        listings=tuple(listings), rejected=tuple(refused), rows=received, quiet=page.quiet
    )
    return whole, pages == 1 and not any(r.where.startswith("page ") for r in refused)


def _page(kind: SourceKind, reply: Fetched, now: datetime, prison: Prison) -> Parsed:
    # relative links begin with it, and stand in mails and on pages
    url = bare(reply.url)
    return prison.parsed(kind, reply.body, now, url=url, content_type=reply.content_type)


def _refuse_gap(page: Parsed, received: int) -> None:
    """arXiv's API at times sends a slice without entries that its own total contradicts."""
    if not page.rows and received < (page.total or 0):
        raise SourceUnreadable(
            f"a page came without entries, though the source counts {page.total:,}: fetch again"
        )


def _get(
    kind: SourceKind, http: HttpClient, url: str, validators: tuple[str | None, str | None]
) -> Fetched:
    accept = _ACCEPT_JSON if kind in _JSON else _ACCEPT_FEED if kind in _FEEDS else "*/*"
    return http.get(
        url,
        etag=validators[0],
        last_modified=validators[1],
        accept=accept,
        readable=(400,) if kind in _ARXIV else (),  # arXiv explains a bad query in a feed
    )


_FEEDS = (*_ARXIV, SourceKind.FEED)


def _read_path(
    spec: SourceSpec, path: Path, now: datetime, day: date | None, prison: Prison
) -> Batch:
    """A file, or every file of a folder in the order of their names; a bad file stops no other."""
    if not path.is_dir():
        found = prison.parsed(spec.kind, read_file(path), now)
        return batch_of(found, source=spec.name, kind=spec.kind, now=now, day=day)
    listings: list[Listing] = []
    refused: list[Rejected] = []
    files = _files(path)
    for file in files[:MOST_FILES]:
        try:
            found = prison.parsed(spec.kind, read_file(file), now)
        except SourceError as exc:
            refused.append(Rejected(where=file.name, reason=str(exc)))
            continue
        listings += found.listings
        refused += (replace(r, where=f"{file.name} {r.where}") for r in found.rejected)
    if refused and not listings:
        raise SourceUnreadable(
            f"none of {len(files)} files can be used; {refused[0].where}: {refused[0].reason}"
        )
    whole = Parsed(listings=tuple(listings), rejected=tuple(refused))
    return batch_of(whole, source=spec.name, kind=spec.kind, now=now, day=day)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except OSError as exc:
        raise SourceUnreachable(f"{folder}: {exc.strerror or exc}") from exc

"""Papers out of the store: candidates of an edition, look-ups, search, and what became of an id."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    false,
    func,
    or_,
    select,
    text,
)
from sqlmodel import Session

from digest.domain.editions import Edition
from digest.domain.identity import aliases_from
from digest.domain.papers import Alias, Links, Paper, PaperId, Scheme
from digest.errors import InvalidInput, NotFound
from digest.store.prepared import among, prepared
from digest.store.tables import AliasRow, MergedPaperRow, PaperRow, table

CHUNK = 5_000  # well below what either engine takes as parameters of one statement
LONGEST_SEARCH = 200

_T = TypeVar("_T")
_papers = table(PaperRow)
_aliases = table(AliasRow)
_merged = table(MergedPaperRow)

# In these very words: SQLite takes a partial index only where the query repeats its condition.
IS_IDENTIFIER = text("scheme <> 'title'")
IS_TITLE = text("scheme = 'title'")

_IN_WINDOW = and_(
    _papers.c.first_seen_at > bindparam("opens_at"),
    _papers.c.first_seen_at <= bindparam("cutoff_at"),
)
_CANDIDATES = select(_papers).where(_IN_WINDOW).order_by(_papers.c.first_seen_at, _papers.c.id)
_COUNTED = select(func.count()).select_from(_papers).where(_IN_WINDOW)
_TEXTS = (
    select(_papers.c.id, _papers.c.title, _papers.c.abstract)
    .where(_papers.c.id > bindparam("after"))
    .order_by(_papers.c.id)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """How many papers there are, and when one of them was last changed: as ids are never given
    twice, papers that were pruned, merged away or written anew show in it.
    """

    papers: int = 0
    updated_at: datetime | None = None


def candidates(session: Session, edition: Edition) -> list[Paper]:
    """The papers first seen in (`opens_at`, `cutoff_at`] of the edition, oldest first."""
    return _read(session, _CANDIDATES, _window(edition))


def count_candidates(session: Session, edition: Edition) -> int:
    """How many papers the edition's candidates are."""
    return int(session.execute(_COUNTED, _window(edition)).scalar_one())


def _window(edition: Edition) -> dict[str, datetime]:
    return {"opens_at": edition.opens_at, "cutoff_at": edition.cutoff_at}


_STAMPS = select(_papers.c.id, _papers.c.updated_at).where(
    _papers.c.id.in_(bindparam("ids", expanding=True))
)


def papers_by_id(session: Session, ids: Iterable[PaperId]) -> dict[PaperId, Paper]:
    """The papers by the ids asked for; an id that was merged gives the paper it became.

    Unknown and pruned ids are left out.
    """
    current = surviving(session, ids)
    found = {
        paper.id: paper
        for chunk in chunks(sorted(set(current.values())), CHUNK)
        for paper in _read(session, select(_papers).where(_papers.c.id.in_(chunk)))
    }
    return {old: found[new] for old, new in current.items() if new in found}


@dataclass(kw_only=True)
class Reread:
    """Papers read again and again, of which most have not changed: only those that did are read
    whole. Keeps at most `most`; not for several threads at once.
    """

    most: int = 10_000
    _kept: dict[PaperId, tuple[datetime, Paper]] = field(default_factory=dict)

    def papers(self, session: Session, ids: Iterable[PaperId]) -> dict[PaperId, Paper]:
        """As `papers_by_id`; a paper that has not changed is the same object as before."""
        current = surviving(session, ids)
        stamps: dict[PaperId, datetime] = {}
        for chunk in chunks(sorted(set(current.values())), CHUNK):
            stamps |= {
                PaperId(number): at for number, at in session.execute(_STAMPS, {"ids": chunk})
            }
        changed = [number for number, at in stamps.items() if self._stale(number, at)]
        if len(self._kept) + len(changed) > self.most:
            self._kept.clear()
            changed = list(stamps)
        for number, paper in papers_by_id(session, changed).items():
            self._kept[number] = (stamps[number], paper)
        known = {old: self._kept.get(new) for old, new in current.items() if new in stamps}
        return {old: kept[1] for old, kept in known.items() if kept}

    def _stale(self, number: PaperId, changed_at: datetime) -> bool:
        kept = self._kept.get(number)
        return kept is None or kept[0] != changed_at


def surviving(session: Session, ids: Iterable[PaperId]) -> dict[PaperId, PaperId]:
    """What each paper id has become: itself, or the paper it was merged into."""
    wanted = list(dict.fromkeys(ids))
    became: dict[PaperId, PaperId] = {}
    for chunk in chunks(wanted, CHUNK):
        rows = _became(session).rows(session, {"ids": chunk})
        became |= {PaperId(old): PaperId(new) for old, new in rows}
    return {old: became.get(old, old) for old in wanted}


@prepared
def _became(dialect: str) -> Select[Any]:
    return select(_merged.c.old_id, _merged.c.paper_id).where(
        among(dialect, _merged.c.old_id, "ids")
    )


def held(session: Session, asked: PaperId) -> PaperId | None:
    """The paper that id is now, kept from being merged or pruned until the transaction ends; None
    where it is unknown or pruned.
    """
    while True:
        (current,) = surviving(session, [asked]).values()
        row = select(_papers.c.id).where(_papers.c.id == current)
        locked = row.with_for_update(read=True, key_share=True)  # what a foreign key takes
        if session.execute(locked).first() is not None:
            return current
        # gone while it was waited for: READ COMMITTED shows the next statement what became of it
        if surviving(session, [asked])[asked] == current:
            return None


def recent_papers(session: Session, limit: int = 50, offset: int = 0) -> list[Paper]:
    """The papers last seen first; `limit` 0 gives all."""
    return _read(session, _latest_first(select(_papers), limit).offset(offset))


def search_papers(session: Session, wanted: str, limit: int = 50) -> list[Paper]:
    """Papers whose title or abstract contains `wanted` without regard to case, the latest first.

    Nothing in `wanted` is a pattern. Raises InvalidInput when it is empty, longer than 200
    characters or holds a control character.
    """
    wanted = wanted.strip()
    if not wanted or len(wanted) > LONGEST_SEARCH or not wanted.isprintable():
        raise InvalidInput(f"give 1 to {LONGEST_SEARCH} plain characters to search for")
    contains = [
        column.icontains(wanted, autoescape=True)
        for column in (_papers.c.title, _papers.c.abstract)
    ]
    return _read(session, _latest_first(select(_papers).where(or_(*contains)), limit))


def paper(session: Session, name: str) -> Paper:
    """The paper of that number, arXiv id, DOI, OpenReview id or address.

    Raises NotFound, which says so where the paper was pruned.
    """
    wanted = name.strip()
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
        found = papers_by_id(session, [PaperId(int(wanted))])
    else:
        owner = session.execute(select(_aliases.c.paper_id).where(_is_named(wanted))).first()
        if owner is not None and owner[0] is None:
            raise NotFound(f"paper {_shown(wanted)} was in the store and has been pruned")
        found = papers_by_id(session, [owner[0]]) if owner else _by_address(session, wanted)
    if not found:
        raise NotFound(
            f"no paper {_shown(wanted)}: see digest papers list, or search for its title"
        )
    return next(iter(found.values()))


def texts_since(
    session: Session, after_id: int = 0, chunk: int = 1_000
) -> Iterator[tuple[PaperId, str, str]]:
    """Id, title and abstract of every paper with an id above `after_id`, in order of id.

    Read `chunk` rows at a time, so that memory does not grow with the store.
    """
    while rows := session.execute(_TEXTS, {"after": after_id, "most": chunk}).all():
        for number, title, abstract in rows:
            yield PaperId(number), title, abstract
        after_id = rows[-1][0]


def state_up_to(session: Session, last_id: PaperId | None = None) -> State:
    """The state of the papers with ids up to `last_id`, or of all."""
    found = select(func.count(), func.max(_papers.c.updated_at)).select_from(_papers)
    if last_id is not None:
        found = found.where(_papers.c.id <= last_id)
    papers, updated_at = session.execute(found).one()
    return State(papers=papers, updated_at=updated_at)


def latest_texts(session: Session, limit: int) -> Iterator[tuple[str, str]]:
    """Title and abstract of the papers last seen first, at most `limit`."""
    columns = select(_papers.c.title, _papers.c.abstract)
    yield from (tuple(row) for row in session.execute(_latest_first(columns, limit)))


def texts_before(session: Session, instant: datetime, limit: int) -> list[tuple[str, str]]:
    """Title and abstract of the papers first seen up to `instant`, the latest first."""
    seen = _papers.c.first_seen_at
    found = select(_papers.c.title, _papers.c.abstract).where(seen <= instant)
    rows = session.execute(found.order_by(seen.desc(), _papers.c.id.desc()).limit(limit))
    return [(title, abstract) for title, abstract in rows]


def aliases_for(session: Session, ids: Iterable[PaperId]) -> dict[PaperId, tuple[Alias, ...]]:
    """The identifiers of each paper, title aliases left out, in the order they were learnt."""
    found: dict[PaperId, tuple[Alias, ...]] = {}
    for chunk in chunks(list(dict.fromkeys(ids)), CHUNK):
        rows = select(_aliases.c.paper_id, _aliases.c.scheme, _aliases.c.value).where(
            _aliases.c.paper_id.in_(chunk), _aliases.c.scheme != Scheme.TITLE
        )
        for owner, scheme, value in session.execute(rows.order_by(_aliases.c.id)):
            alias = Alias(scheme=Scheme(scheme), value=value)
            found[owner] = (*found.get(owner, ()), alias)
    return found


def count_papers(session: Session) -> int:
    """How many papers the store holds."""
    return int(session.execute(select(func.count()).select_from(_papers)).scalar_one())


def paper_from(row: RowMapping) -> Paper:
    """The paper of a row of the table."""
    return Paper(
        id=PaperId(row["id"]),
        title=row["title"],
        abstract=row["abstract"],
        authors=tuple(json.loads(row["authors"])),
        categories=tuple(json.loads(row["categories"])),
        url=row["url"],
        links=Links(**json.loads(row["links"])),
        tldr=row["tldr"],
        venue=row["venue"],
        published_on=row["published_on"],
        first_seen_at=row["first_seen_at"],
    )


def row_of(item: Paper) -> dict[str, object]:
    """The columns of a paper, but for `id` and `updated_at`."""
    links = {name: address for name, address in asdict(item.links).items() if address}
    return {
        "title": item.title,
        "abstract": item.abstract,
        "authors": json.dumps(item.authors, ensure_ascii=False),
        "categories": json.dumps(item.categories, ensure_ascii=False),
        "url": item.url,
        "links": json.dumps(links, ensure_ascii=False),
        "tldr": item.tldr,
        "venue": item.venue,
        "published_on": item.published_on,
        "first_seen_at": item.first_seen_at,
    }


def chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """The items in lists of at most `size`."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def _read(
    session: Session, query: Select[Any], values: Mapping[str, object] | None = None
) -> list[Paper]:
    return [paper_from(row) for row in session.execute(query, values).mappings()]


def _latest_first(query: Select[Any], limit: int) -> Select[Any]:
    ordered = query.order_by(_papers.c.first_seen_at.desc(), _papers.c.id.desc())
    return ordered.limit(limit) if limit else ordered


def _is_named(name: str) -> ColumnElement[bool]:
    """The alias rows that `name` can mean: an identifier or address as people write it, or
    `scheme:value` as listings show it.
    """
    scheme, _, value = name.partition(":")
    shown = [(Scheme(scheme), value)] if scheme in tuple(Scheme) and value else []
    meant = [(alias.scheme, alias.value) for alias in aliases_from([name])] + shown
    return or_(
        false(),
        *(
            and_(IS_IDENTIFIER, _aliases.c.scheme == scheme, _aliases.c.value == value)
            for scheme, value in meant
        ),
    )


def _by_address(session: Session, address: str) -> dict[PaperId, Paper]:
    if not address.startswith(("http://", "https://")):
        return {}
    found = _read(session, select(_papers).where(_papers.c.url == address).order_by(_papers.c.id))
    return {item.id: item for item in found[:1]}


def _shown(name: str) -> str:
    """What somebody asked for, fit for a terminal."""
    return repr(name if len(name) <= 60 else name[:60] + "…")

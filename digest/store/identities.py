"""Which paper a listing is: the rules of identity, in memory, over what the store knows.

`Identities` is filled with the stored papers that could be meant. For each listing it then says
which work it is, makes new works, and unites those that turn out to be one. Nothing here touches
the store.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from digest.domain.identity import normalised_title, surname
from digest.domain.papers import Alias, Links, Listing, Paper, PaperId, Scheme

NOT_STORED = PaperId(0)
LONGEST_NAME = 500  # an entry of a PostgreSQL index ends at 2,700 bytes


@dataclass(frozen=True, slots=True)
class TitleKey:
    """A normalised title and its first author's surname, empty where none was named."""

    title: str
    surname: str


Name = Alias | TitleKey


@dataclass(eq=False, kw_only=True, slots=True)
class Work:
    """One paper while a batch is merged.

    `paper.id` is NOT_STORED until the store has it; `fresh` are the names that the store lacks;
    `absorbed` are the ids of stored papers found to be this one; `into` is the work that took this
    one over.
    """

    paper: Paper
    names: set[Name] = field(default_factory=set)
    fresh: set[Name] = field(default_factory=set)
    absorbed: list[PaperId] = field(default_factory=list)
    changed: bool = False
    into: "Work | None" = None

    @property
    def is_new(self) -> bool:
        return self.paper.id == NOT_STORED

    def values(self, scheme: Scheme) -> set[str]:
        """The identifiers of this scheme."""
        return {n.value for n in self.names if isinstance(n, Alias) and n.scheme == scheme}

    def surnames(self, title: str) -> set[str]:
        """The first authors under this title; the empty one among them for a nameless listing."""
        return {n.surname for n in self.names if isinstance(n, TitleKey) and n.title == title}

    def survivor(self) -> "Work":
        """This work, or the one it has become."""
        work = self
        while work.into is not None:
            work = work.into
        return work


class Identities:
    """The works that a batch may mean, found by their names."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self._by_name: dict[Name, list[Work]] = {}
        self._by_title: dict[str, list[Work]] = {}
        self._pruned: set[Alias] = set()
        self._pruned_titles: dict[str, set[str]] = {}

    def add_stored(self, paper: Paper, names: Iterable[Name]) -> None:
        """A paper of the store with all its names."""
        work = Work(paper=paper)
        self.works.append(work)
        for name in names:
            self._name(work, name)

    def add_pruned(self, name: Name) -> None:
        """A name whose paper the store has pruned."""
        if isinstance(name, TitleKey):
            self._pruned_titles.setdefault(name.title, set()).add(name.surname)
        else:
            self._pruned.add(name)

    def take(self, listing: Listing, now: datetime) -> Work | None:
        """The work that the listing is, with what the listing adds; None for a pruned paper."""
        identifiers, key = identifiers_of(listing), title_key(listing)
        work = self._find(identifiers, key)
        if work is None:
            if self._is_pruned(identifiers, key):
                return None
            work = Work(paper=_first_sight(listing, now))
            self.works.append(work)
        else:
            work.paper, before = united(work.paper, listing), work.paper
            work.changed |= work.paper != before
        names: tuple[Name, ...] = (*identifiers, *key)
        for name in names:
            self._learn(work, name)
        return work

    def _find(self, identifiers: tuple[Alias, ...], key: tuple[TitleKey, ...]) -> Work | None:
        found = [work for alias in identifiers for work in self._by_name.get(alias, ())]
        if not found:
            return next((w for k in key if (w := self._by_title_key(k, identifiers))), None)
        work = found[0]
        for other in found[1:]:
            work = self._unite(work, other.survivor())
        for title in key:
            if not work.surnames(title.title):
                twin = self._by_title_key(title, (*identifiers, *_identifiers(work)))
                work = self._unite(work, twin) if twin else work
        return work

    def _by_title_key(self, key: TitleKey, identifiers: Iterable[Alias]) -> Work | None:
        """The one work of that title and author.

        A nameless listing, or a nameless work, is meant only where it is the one of that title.
        Identifiers that conflict make different papers of the same title. Where several are left,
        only one without identifiers can be meant: it came from a listing as vague as this one.
        """
        alike = [w for w in self._by_title.get(key.title, ()) if _same_author(key, w)]
        exact = [w for w in alike if key.surname in w.surnames(key.title)]
        meant = exact or (alike if len(alike) == 1 else [])
        free = [w for w in meant if not _conflict(identifiers, w)]
        if len(free) == 1:
            return free[0]
        return next((w for w in free if not any(_identifiers(w))), None)

    def _is_pruned(self, identifiers: tuple[Alias, ...], key: tuple[TitleKey, ...]) -> bool:
        if any(alias in self._pruned for alias in identifiers):
            return True
        return any(_fits(k.surname, self._pruned_titles.get(k.title, set())) for k in key)

    def _learn(self, work: Work, name: Name) -> None:
        if name in work.names:
            return
        if isinstance(name, Alias) and (name in self._by_name or name in self._pruned):
            return  # another paper's, whose other identifiers conflict with this one's
        work.fresh.add(name)
        self._name(work, name)

    def _name(self, work: Work, name: Name) -> None:
        work.names.add(name)
        self._by_name.setdefault(name, []).append(work)
        if isinstance(name, TitleKey) and work not in self._by_title.setdefault(name.title, []):
            self._by_title[name.title].append(work)

    def _unite(self, one: Work, other: Work) -> Work:
        """One work of two, unless their identifiers conflict; the one seen first stays."""
        if one is other or _conflict(_identifiers(one), other):
            return one
        keep, gone = sorted((one, other), key=_seniority)
        keep.paper, before = united(keep.paper, gone.paper), keep.paper
        keep.changed |= gone.changed or keep.paper != before
        keep.absorbed += gone.absorbed + ([] if gone.is_new else [gone.paper.id])
        gone.into = keep
        keep.fresh -= gone.names - gone.fresh  # the store has these under the old id
        for name in gone.names:
            self._by_name[name].remove(gone)
            if isinstance(name, TitleKey) and gone in self._by_title[name.title]:
                self._by_title[name.title].remove(gone)
            if name not in keep.names:
                self._name(keep, name)
                keep.fresh |= {name} & gone.fresh
        return keep


def title_key(listing: Listing) -> tuple[TitleKey, ...]:
    """The listing's title key; none for an empty title."""
    title = (normalised_title(listing.title) or listing.title.strip())[:LONGEST_NAME]
    author = surname(listing.authors[0])[:LONGEST_NAME] if listing.authors else ""
    return (TitleKey(title, author),) if title else ()


def identifiers_of(listing: Listing) -> tuple[Alias, ...]:
    """The listing's identifiers, best first, without what no index could hold."""
    return tuple(
        alias
        for alias in dict.fromkeys(listing.aliases)
        if alias.scheme is not Scheme.TITLE and 0 < len(alias.value) <= LONGEST_NAME
    )


def united(paper: Paper, other: Listing | Paper) -> Paper:
    """The paper with what the other knows better; the same paper where it knows nothing better.

    Every rule only ever goes one way, so that two sources that disagree do not overwrite each other
    for ever: the longer abstract, the earlier date, the better address, else what was there first.
    """
    links, more = paper.links, other.links
    days = [day for day in (paper.published_on, other.published_on) if day]
    return replace(
        paper,
        abstract=max(paper.abstract, other.abstract, key=len),
        authors=paper.authors or other.authors,
        categories=tuple(dict.fromkeys(paper.categories + other.categories)),
        url=max(paper.url, other.url, key=_address_rank),
        links=Links(
            pdf=links.pdf or more.pdf,
            code=links.code or more.code,
            project=links.project or more.project,
            discussion=links.discussion or more.discussion,
        ),
        tldr=paper.tldr or other.tldr,
        venue=paper.venue or other.venue,
        published_on=min(days, default=None),
    )


def _first_sight(listing: Listing, now: datetime) -> Paper:
    paper = Paper(id=NOT_STORED, title=listing.title, first_seen_at=now)
    return united(paper, listing)


def _address_rank(url: str | None) -> int:
    """How good an address is: none, a DOI, some page, arXiv's page of the abstract."""
    if not url:
        return 0
    if url.startswith("https://doi.org/"):
        return 1
    return 3 if url.startswith("https://arxiv.org/abs/") else 2


def _seniority(work: Work) -> tuple[datetime, bool, int]:
    return work.paper.first_seen_at, work.is_new, work.paper.id


def _identifiers(work: Work) -> list[Alias]:
    return [name for name in work.names if isinstance(name, Alias)]


def _conflict(identifiers: Iterable[Alias], work: Work) -> bool:
    """Whether a scheme names two different papers here."""
    by_scheme: dict[Scheme, set[str]] = {}
    for alias in identifiers:
        by_scheme.setdefault(alias.scheme, set()).add(alias.value)
    return any(
        (theirs := work.values(scheme)) and not theirs & ours for scheme, ours in by_scheme.items()
    )


def _same_author(key: TitleKey, work: Work) -> bool:
    return _fits(key.surname, work.surnames(key.title))


def _fits(author: str, known: set[str]) -> bool:
    """Whether a first author can be one of these: an empty one on either side can be anybody."""
    named = known - {""}
    return bool(known) and (not author or not named or author in named)

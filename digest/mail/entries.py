"""A paper as the templates of its entry see it: plain words and checked links."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

from digest.domain.digests import Part, Pick, Reason, Where, attention_words, taste_words, why
from digest.domain.feedback import Opinion
from digest.domain.papers import Links, Paper
from digest.mail.excerpts import Segment, authors_line, cut, marked, plain, shortened, summary
from digest.mail.fragments import RANK, VOTING
from digest.mail.links import Site, safe_url

TITLE_MOST = 300
FACT_MOST = 120
SLIMMEST = 4

_LABELS = {
    "Code": {"huggingface.co": "On HF"},  # weights or data rather than code
    "Discussion": {
        "huggingface.co": "Discuss on HF",
        "news.ycombinator.com": "Discuss on HN",
        "reddit.com": "Discuss on Reddit",
        "alphaxiv.org": "Discuss on alphaXiv",
        "openreview.net": "Reviews",
    },
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkView:
    """A link and the word it stands under."""

    label: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperView:
    """One pick as it is shown; `badge` is empty where nothing trends, `url` None without a page.

    `rank` and the two addresses of a vote stand for what differs from reader to reader: a template
    prints them as they are. The addresses are empty without `has_feedback`. `tldr` says that the
    summary is the source's own.
    """

    rank: int | str
    title: tuple[Segment, ...]
    url: str | None
    authors: str
    facts: str
    badge: str
    rising: bool
    reason: tuple[Segment, ...]
    summary: tuple[Segment, ...]
    links: tuple[LinkView, ...]
    tldr: bool = False
    has_feedback: bool = False
    more_url: str = ""
    less_url: str = ""

    @property
    def title_text(self) -> str:
        """The title without marks."""
        return joined(self.title)

    @property
    def summary_text(self) -> str:
        """The summary without marks."""
        return joined(self.summary)

    @property
    def byline(self) -> str:
        """Authors and facts, as far as there are any."""
        return " · ".join(filter(None, (self.authors, self.facts)))

    @property
    def reason_text(self) -> str:
        """Badge and reason as text."""
        badge = f"▲ {self.badge}" if self.badge else ""
        return " · ".join(filter(None, (badge, joined(self.reason))))


def joined(segments: tuple[Segment, ...]) -> str:
    """The text of segments."""
    return "".join(segment.text for segment in segments)


class KeptViews:
    """Picks as they are shown, by keys that name their paper and reason; the oldest of more than
    `most` go first.

    Keys may have the identity of a paper in them: to look at all its fields would take longer.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[Paper, PaperView]] = OrderedDict()
        self._lock = Lock()  # pages show papers too, in threads of their own

    def get(self, key: Hashable) -> PaperView | None:
        """The view kept by that key."""
        kept = self._kept.get(key)
        return kept[1] if kept else None

    def keep(self, key: Hashable, paper: Paper, made: PaperView) -> PaperView:
        """Keep a view from now on, and its paper, so that none other has its identity."""
        with self._lock:
            _, made = self._kept.setdefault(key, (paper, made))
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made


_VIEWS = KeptViews(most=8_192)


def view_of(reason: Reason, paper: Paper, site: str | None, room: int, feedback: bool) -> PaperView:
    """A pick of whatever rank as it is shown.

    One paper goes to many readers for the same reason: they get the same object, by which what was
    rendered of it is found again (`fragments.Shelf`).
    """
    key = (id(paper), reason, room, feedback, site)
    if (kept := _VIEWS.get(key)) is not None:
        return kept
    pick = Pick(paper_id=paper.id, score=0.0, relevance=0.0, trend=0.0, reason=reason)
    made = paper_view(pick, paper, RANK, site=Site(url=site), room=room, feedback=feedback)
    return _VIEWS.keep(key, paper, made)


def paper_view(
    pick: Pick, paper: Paper, rank: int | str, *, site: Site, room: int, feedback: bool = False
) -> PaperView:
    """One pick as it is shown, its summary in at most `room` characters."""
    reason, words = pick.reason, pick.reason.words
    own = _own(paper, site.url, room)
    told = own.tldr or summary(paper.abstract, words, room, title=paper.title)
    return PaperView(
        rank=rank,
        title=marked(own.title, words),
        url=own.url,
        authors=own.authors,
        facts=own.facts,
        badge=attention_words(reason).replace(", ", " · "),
        rising=reason.rising,
        reason=_reason(reason),
        summary=marked(told, words),
        links=own.links,
        tldr=bool(own.tldr),
        has_feedback=feedback,
        more_url=f"{VOTING}{paper.id}/{Opinion.MORE.value}" if feedback else "",
        less_url=f"{VOTING}{paper.id}/{Opinion.LESS.value}" if feedback else "",
    )


class _Own(NamedTuple):
    """What is the same of a paper for whatever reason it is shown."""

    title: str
    url: str | None
    authors: str
    facts: str
    tldr: str
    links: tuple[LinkView, ...]


@lru_cache(maxsize=2_048)
def _own(paper: Paper, site: str | None, room: int) -> _Own:
    url = safe_url(paper.url) or Site(url=site).paper(paper.id)
    return _Own(
        title=shortened(plain(paper.title), TITLE_MOST),
        url=url,
        authors=shortened(authors_line(paper.authors), FACT_MOST),
        facts=_facts(paper),
        tldr=shortened(plain(paper.tldr or ""), room),
        links=_links(paper.links, known=url),
    )


def slimmer(paper: PaperView, level: int) -> PaperView:
    """The same paper in fewer bytes: at level 1 with a short summary, at 2 without votes too, at 3
    without either, at 4 bare.
    """
    if level > 1:
        paper = replace(paper, has_feedback=False, more_url="", less_url="")
    if level < SLIMMEST:
        told = cut(paper.summary, 100 if level < 3 else 0)
        return replace(paper, summary=told, tldr=paper.tldr and bool(told))
    return replace(
        paper,
        title=(Segment(text=shortened(paper.title_text, 100)),),
        url=paper.url if paper.url and len(paper.url) <= 200 else None,
        authors=shortened(paper.authors, 40),
        facts="",
        summary=(),
        tldr=False,
        links=(),
    )


def summary_room(papers: int) -> int:
    """Characters for one summary: fewer in long digests, so that 50 papers stay below 90 KB."""
    return 340 if papers <= 12 else 260 if papers <= 25 else 160


def _reason(reason: Reason) -> tuple[Segment, ...]:
    """The evidence, the interest marked in it, and what votes did."""
    if reason.where is Where.TRENDING:
        return ()
    told = _evidence(reason.where, reason.interest, reason.words, reason.parts)
    taste = shortened(plain(taste_words(reason)), FACT_MOST)
    return (*told, Segment(text=f" · {taste}")) if taste else told


@lru_cache(maxsize=4_096)  # many papers match an interest in the same place
def _evidence(
    where: Where, interest: str | None, words: tuple[str, ...], parts: tuple[Part, ...]
) -> tuple[Segment, ...]:
    reason = Reason(where=where, interest=interest, words=words, parts=parts)
    return marked(plain(why(reason)), reason.named)


def _facts(paper: Paper) -> str:
    """Venue, categories and date, as far as they are known."""
    day = paper.published_on
    facts = (
        shortened(plain(paper.venue or ""), 60),
        shortened(", ".join(plain(category) for category in paper.categories[:3]), 60),
        f"{day.day}\u00a0{day:%b}\u00a0{day.year}" if day else "",  # never broken at a line's end
    )
    return " · ".join(fact for fact in facts if fact)


def _links(links: Links, *, known: str | None) -> tuple[LinkView, ...]:
    """The paper's further addresses; one that stands there already is not shown again."""
    offered = (
        ("PDF", safe_url(links.pdf)),
        ("Code", safe_url(links.code)),
        ("Project", safe_url(links.project)),
        ("Discussion", safe_url(links.discussion)),
    )
    shown: dict[str, str] = {}
    for kind, url in offered:
        if url and url != known:
            shown.setdefault(url, _label(kind, url))
    return tuple(LinkView(label=label, url=url) for url, label in shown.items())


def _label(kind: str, url: str) -> str:
    """The word for a link: by its host where readers know that by name, else by its kind."""
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return _LABELS.get(kind, {}).get(host, kind)

"""Builders of views for the tests of mails, and a reader of HTML that keeps what it saw."""

import re
from datetime import date
from html.parser import HTMLParser
from typing import Any

from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.papers import Links, Paper, PaperId
from digest.domain.subscribers import Subscriber
from digest.mail.links import Site
from digest.mail.views import DigestView, Identity, Manage, digest_view, frame_of
from tests.builders import a_paper, a_subscriber

SITE = "https://papers.example.org"
OUR_SITE = Site(url=SITE)
IDENTITY = Identity(address="papers@example.org", imprint="Example Lab, 1 Main Street")
MANAGE = Manage(
    preferences_url=f"{SITE}/preferences/p.t.s",
    unsubscribe_url=f"{SITE}/unsubscribe/u.t.s",
    unsubscribe_mailto="mailto:papers@example.org?subject=unsubscribe%20u.t.s",
)
ABSTRACT = (
    "Replay buffers grow without end. We propose Tidepool, a method for continual learning that "
    "forgets on purpose. It keeps 3.5 times fewer examples than e.g. reservoir sampling. "
    "Code is available at https://example.org/tidepool."
)


def a_reason(interest: str | None = "continual learning", **changes: Any) -> Reason:
    values: dict[str, Any] = {
        "where": Where.TITLE if interest else Where.TRENDING,
        "interest": interest,
        "words": (interest,) if interest else (),
        "upvotes": 63,
        "rising": True,
    }
    return Reason(**values | changes)


def a_pick(paper: Paper, reason: Reason | None = None) -> Pick:
    return Pick(paper_id=paper.id, score=0.9, relevance=0.8, trend=0.7, reason=reason or a_reason())


def a_rich_paper(number: int = 1, **changes: Any) -> Paper:
    """A paper with everything a source can give."""
    values: dict[str, Any] = {
        "number": number,
        "abstract": ABSTRACT,
        "authors": ("Ada Lovelace", "Alan Turing", "Grace Hopper", "Emmy Noether"),
        "categories": ("cs.LG", "cs.AI"),
        "venue": "Tidal Conference 2026",
        "published_on": date(2026, 3, 10),
        "links": Links(
            pdf=f"https://example.org/{number}.pdf",
            code="https://example.org/code",
            project="https://example.org/project",
            discussion="https://example.org/talk",
        ),
    }
    title = changes.pop("title", f"Tidepool {number}: Continual Learning by Forgetting")
    return a_paper(title, **values | changes)


def a_digest_view(
    *papers: Paper,
    reason: Reason | None = None,
    subscriber: Subscriber | None = None,
    manage: Manage = MANAGE,
    trending_only: bool = False,
    considered: int | None = 212,
    site: Site = OUR_SITE,
    voting: str | None = None,
    reading_url: str | None = None,
) -> DigestView:
    shown = papers or (a_rich_paper(),)
    digest = Digest(
        digest_on=date(2026, 3, 12),
        picks=tuple(a_pick(paper, reason) for paper in shown),
        trending_only=trending_only,
    )
    reader = subscriber or a_subscriber("ada@example.com", "continual learning")
    frame = frame_of(reader, IDENTITY, manage)
    by_id: dict[PaperId, Paper] = {paper.id: paper for paper in shown}
    return digest_view(
        digest,
        by_id,
        frame,
        site=site,
        considered=considered,
        voting=voting,
        reading_url=reading_url,
    )


class Seen(HTMLParser):
    """What a browser would make of HTML: its tags, attributes and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.marks: list[str] = []
        self._open: list[str] = []
        self._class = ""
        self.feed(html)
        self.close()

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words)).strip()

    def links(self) -> list[str]:
        return [value for _, name, value in self.attributes if name == "href"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta", "br"):
            self._open.append(tag)
        self._class = dict(attrs).get("class") or ""
        if tag in ("td", "p", "h1", "h2", "div", "br", "tr"):
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass
        self._class = ""
        if tag in ("td", "p", "h1", "h2", "div"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if {"style", "title", "script"} & set(self._open):
            return
        self.words.append(data)
        if self._class == "m":
            self.marks.append(data)

"""Feeds written out: Atom 1.0 (RFC 4287) and JSON Feed 1.1 (jsonfeed.org/version/1.1)."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

# it writes XML here, and reads none
from xml.etree import ElementTree as ET  # nosec B405

from digest.services.feeds import Entry
from digest.services.shown import ShownPaper

ATOM_TYPE = "application/atom+xml; charset=utf-8"
JSON_TYPE = "application/feed+json; charset=utf-8"

_ATOM = "http://www.w3.org/2005/Atom"
# what XML 1.0 has no way to say, §2.2
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Feed:
    """A feed to write; addresses are absolute. `base` begins those of pages here, and `authority`
    is the host by which its ids are told from others' (RFC 4151).
    """

    name: str
    title: str
    subtitle: str
    key: str
    authority: str
    base: str
    self_url: str
    home_url: str
    updated: datetime
    entries: tuple[Entry, ...]

    def tag(self, specific: str) -> str:
        """An id that stays what it is wherever the feed is served from."""
        return f"tag:{self.authority},2026:{specific}"


def atom(feed: Feed) -> bytes:
    """The feed as Atom."""
    root = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": "en"})
    _add(root, "id", feed.tag(feed.key))
    _add(root, "title", feed.title)
    _add(root, "subtitle", feed.subtitle)
    _add(root, "updated", _stamp(feed.updated))
    _add(root, "link", rel="self", type="application/atom+xml", href=feed.self_url)
    _add(root, "link", rel="alternate", type="text/html", href=feed.home_url)
    _add(ET.SubElement(root, "author"), "name", feed.name)
    for entry in feed.entries:
        _add_entry(ET.SubElement(root, "entry"), feed, entry)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _add_entry(element: ET.Element, feed: Feed, entry: Entry) -> None:
    paper = entry.paper
    _add(element, "id", feed.tag(f"papers/{paper.id}"))
    _add(element, "title", paper.title)
    _add(element, "updated", _stamp(entry.at))
    _add(element, "published", _stamp(entry.at))
    _add(element, "link", rel="alternate", type="text/html", href=_address(feed, paper))
    if paper.url:
        _add(element, "link", rel="related", type="text/html", href=feed.base + paper.page)
    if paper.authors:
        _add(ET.SubElement(element, "author"), "name", paper.authors)
    if paper.teaser:
        _add(element, "summary", paper.teaser)
    _add(element, "content", _html(feed, entry), type="html")


def json_feed(feed: Feed) -> bytes:
    """The feed as JSON."""
    content = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": _told(feed.title),
        "description": _told(feed.subtitle),
        "home_page_url": feed.home_url,
        "feed_url": feed.self_url,
        "language": "en",
        "authors": [{"name": _told(feed.name)}],
        "items": [_item(feed, entry) for entry in feed.entries],
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _item(feed: Feed, entry: Entry) -> dict[str, Any]:
    paper = entry.paper
    optional: dict[str, Any] = {
        "summary": _told(paper.teaser),
        "authors": [{"name": _told(paper.authors)}] if paper.authors else [],
    }
    return {
        "id": feed.tag(f"papers/{paper.id}"),
        "url": _address(feed, paper),
        "title": _told(paper.title),
        "content_html": _told(_html(feed, entry)),
        "date_published": _stamp(entry.at),
    } | {name: value for name, value in optional.items() if value}


def _html(feed: Feed, entry: Entry) -> str:
    """What a reader shows of a paper: why it is there, what it says, and where it is."""
    paper = entry.paper
    badge = f"▲ {paper.badge}" if paper.badge else ""
    told = " · ".join(part for part in (badge, *paper.reasons) if part)
    ways = [*paper.links, ("More about it", feed.base + paper.page)]
    parts = [
        _paragraph(told, "em"),
        _paragraph(" · ".join(part for part in (paper.authors, paper.facts) if part)),
        _paragraph(paper.teaser),
        "<p>" + " · ".join(f'<a href="{escape(u)}">{escape(w)}</a>' for w, u in ways) + "</p>",
    ]
    return "".join(parts)


def _paragraph(text: str, inside: str = "") -> str:
    if not text:
        return ""
    words = f"<{inside}>{escape(text)}</{inside}>" if inside else escape(text)
    return f"<p>{words}</p>"


def _address(feed: Feed, paper: ShownPaper) -> str:
    return paper.url or feed.base + paper.page


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> None:
    element = ET.SubElement(parent, name, attributes)
    element.text = _told(text) or None


def _told(text: str) -> str:
    """The text without what XML cannot hold, and without halves of surrogate pairs."""
    return _NOT_XML.sub("", text)


def _stamp(at: datetime) -> str:
    """RFC 3339, which both forms ask for."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def newest(entries: Sequence[Entry], otherwise: datetime) -> datetime:
    """When the latest of them came."""
    return max((entry.at for entry in entries), default=otherwise)

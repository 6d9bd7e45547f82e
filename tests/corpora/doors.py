"""Papers with hostile words in every field, in each of the forms in which sources send them."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from digest.domain.papers import Listing, SourceKind
from digest.errors import SourceUnreadable
from digest.sources.formats import parsed

NOW = datetime(2026, 3, 12, 11, tzinfo=UTC)
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Door = Callable[[Sequence[str]], bytes]


def jsonl(said: Sequence[str]) -> bytes:
    lines = [
        {
            "title": f"{n} {one}", "abstract": f"Of {one}", "authors": [one, "Ada"], "url": one,
            "categories": [one, "cs.LG"], "venue": one, "id": one, "doi": one, "date": one,
        }
        for n, one in enumerate(said)
    ]  # fmt: skip
    return "\n".join(json.dumps(line) for line in lines).encode()


def rss(said: Sequence[str], *, loose: bool = False) -> bytes:
    """Words in entities; `loose` keeps what XML cannot hold, so that feedparser guesses."""

    def told(text: str) -> str:
        return escape(text if loose else _NOT_XML.sub("", text))

    items = "".join(
        f"<item><title>{n} {told(one)}</title><link>{told(one)}</link><author>{told(one)}</author>"
        f"<description>Of {told(one)}</description><category>{told(one)}</category>"
        f"<guid>{n:04}</guid></item>"
        for n, one in enumerate(said)
    )
    return _utf8(f'<?xml version="1.0"?><rss version="2.0"><channel>{items}</channel></rss>')


def rss_loose(said: Sequence[str]) -> bytes:
    return rss(said, loose=True)


def atom(said: Sequence[str]) -> bytes:
    """Words as HTML in CDATA, with links and identifiers of every kind."""

    def told(text: str) -> str:
        return "<![CDATA[" + _NOT_XML.sub("", text).replace("]]>", "]]]]><![CDATA[>") + "]]>"

    def quoted(text: str) -> str:
        return escape(_NOT_XML.sub("", text))

    entries = "".join(
        f'<entry><title type="html">{n} {told(one)}</title><id>urn:{n:04}</id>'
        f'<link href="{quoted(one)}"/><link type="application/pdf" href="{quoted(one)}"/>'
        f'<author><name>{told(one)}</name></author><category term="{quoted(one)}"/>'
        f'<summary type="html">Of {told(one)}</summary></entry>'
        for n, one in enumerate(said)
    )
    return _utf8(f'<feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>')


def arxiv_api(said: Sequence[str]) -> bytes:
    return re.sub(rb"urn:(\d+)", rb"http://arxiv.org/abs/2603.1\1", atom(said))


def arxiv_rss(said: Sequence[str]) -> bytes:
    return re.sub(
        rb"<guid>(\d+)<", rb"<guid>oai:arXiv.org:2603.1\1</guid><guid>2603.1\1<", rss(said)
    )


def hugging_face(said: Sequence[str]) -> bytes:
    return json.dumps([
        {"paper": {"id": one, "title": f"{n} {one}", "summary": f"Of {one}", "ai_summary": one,
                   "authors": [{"name": one}], "githubRepo": one, "projectPage": one},
         "publishedAt": one, "title": f"{n} {one}"}
        for n, one in enumerate(said)
    ]).encode()  # fmt: skip


def biorxiv(said: Sequence[str]) -> bytes:
    return json.dumps({"messages": [{"status": "ok"}], "collection": [
        {"title": f"{n} {one}", "abstract": f"Of {one}", "authors": one, "category": one,
         "doi": f"10.1101/{n}.{one}", "server": one, "version": one, "published": one, "date": one}
        for n, one in enumerate(said)
    ]}).encode()  # fmt: skip


def openreview(said: Sequence[str]) -> bytes:
    return json.dumps({"notes": [
        {"id": f"{n}{one}", "content": {"title": {"value": f"{n} {one}"}, "abstract": f"Of {one}",
         "authors": [one], "pdf": f"/{one}", "code": one, "venue": one, "TLDR": one}}
        for n, one in enumerate(said)
    ]}).encode()  # fmt: skip


def page(said: Sequence[str]) -> bytes:
    lines = "".join(
        f"{n} A Title of {' '.join(one.split())}\n\nWe show that it is so and that it stays so, "
        f"for all that was said of it: {' '.join(one.split())} and more words of the abstract.\n\n"
        for n, one in enumerate(said)
    )
    return _utf8(f"Get trending papers in your email inbox!\n\nSubscribe\n\nMar 12\n\n{lines}")


DOORS: dict[str, tuple[SourceKind, Door]] = {
    "JSON lines": (SourceKind.JSONL, jsonl),
    "RSS": (SourceKind.FEED, rss),
    "RSS, ill-formed": (SourceKind.FEED, rss_loose),
    "Atom": (SourceKind.FEED, atom),
    "arXiv API": (SourceKind.ARXIV_API, arxiv_api),
    "arXiv RSS": (SourceKind.ARXIV_RSS, arxiv_rss),
    "Hugging Face": (SourceKind.HUGGINGFACE, hugging_face),
    "bioRxiv": (SourceKind.BIORXIV, biorxiv),
    "OpenReview": (SourceKind.OPENREVIEW, openreview),
    "listing page": (SourceKind.PAGE, page),
}


def came_in(door: str, said: Sequence[str]) -> Iterator[Listing]:
    """What a door makes of the strings, all together; where one spoils the whole, one by one."""
    kind, write = DOORS[door]
    try:
        found = parsed(kind, write(said), NOW)
    except SourceUnreadable as exc:
        assert len(said) == 1 or "entities" in str(exc), (door, exc)
        for one in said if len(said) > 1 else ():
            yield from came_in(door, [one])
    else:
        yield from found.listings


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")

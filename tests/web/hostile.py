"""Strings that were made to break pages, as papers of a store; and what a page makes of them."""

import json
from html.parser import HTMLParser
from pathlib import Path

from digest.domain.papers import Links
from digest.store.database import transaction
from digest.store.merge import merge_batch
from digest.web.desk import Desk
from tests.builders import NOON, a_batch, a_listing, attention

OWN = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></feed></entry><script>",
    "]]><!--",
    "&lt;b&gt; &amp;amp; &#x0;",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202eevil\u2066\u200b\ufeff",
    "half \ufffe\uffff and \U0001fffe ends",
    "'; DROP TABLE papers; --",
    "%_\\*",
)
WAYS = Links(pdf="https://x.example/a.pdf", code='https://x.example/"><script>')


def strings(shared: Path) -> list[str]:
    """Those of DOMPurify's tests and of the Big List of Naughty Strings."""
    folder = shared / "hostile"
    found: list[str] = json.loads((folder / "dompurify" / "payloads.json").read_text())
    return found + json.loads((folder / "blns" / "blns.json").read_text())


def came(desk: Desk, hostile: list[str]) -> None:
    """One paper for each string, which is its title, abstract, author, category and venue."""
    listings = [
        a_listing(
            f"{n} {said}",
            abstract=said,
            authors=(said,),
            categories=(said,),
            venue=said,
            tldr=said if n % 2 else None,
            url=said if n % 3 else None,
            links=WAYS,
            attention=attention(upvotes=n),
        )
        for n, said in enumerate(hostile)
    ]
    with transaction(desk.engine) as session:
        merge_batch(session, a_batch(*listings), NOON)


class Seen(HTMLParser):
    """The tags, attributes and addresses of a page, and the texts of the titles of papers."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.titles: list[str] = []
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if dict(attrs).get("class") == "paper-title" or tag == "h1":
            self._inside = tag
            self.titles.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.titles[-1] += data

    @property
    def is_harmless(self) -> bool:
        """No element, attribute or address that can do anything."""
        bad = {"script", "style", "img", "svg", "iframe", "object", "embed", "base", "math"}
        safe = ("/", "#", "https://", "http://", "mailto:")
        return (
            not self.tags & bad
            and not any(name.startswith("on") or name == "style" for name in self.attributes)
            and all(address.startswith(safe) for address in self.addresses)
        )

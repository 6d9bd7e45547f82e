"""A whole service in one process, over a store, a relay and pages: what went in comes out of every
exit, and each exit is looked at.

The clock stands at noon of 2026-03-12 UTC.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from xml.etree import ElementTree as ET

from sqlalchemy import Engine, select

from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.papers import Links, Listing, PaperId
from digest.mail.entries import TITLE_MOST
from digest.mail.excerpts import plain, shortened
from digest.mail.sink import Sink
from digest.mail.tokens import Purpose
from digest.resources import folder
from digest.services.archive import PAGE
from digest.services.collect import keep
from digest.services.deliver import deliver
from digest.store import outbox
from digest.store.database import transaction
from digest.store.tables import PaperRow, table
from digest.web.desk import Desk as WebDesk
from tests.builders import NOON, a_batch, a_listing, attention
from tests.commands import Desk
from tests.corpora import harm
from tests.moody import options, post_to
from tests.web.building import Browser
from tests.web.people import DAY, a_person

A_DIGEST = 30
NOW = ("--now", "2026-03-12T12:00Z")
_JINJA = re.compile(r"\{[{%#].*?[#%}]\}", re.DOTALL)
# attributes that make no element do anything; templates write them by conditions and macros
_HARMLESS = re.compile(r"aria-\w+|data-\w+|class|id|checked|selected|hidden|value|lang|dir")
_ATOM = "{http://www.w3.org/2005/Atom}"


@dataclass
class Seen:
    """How often each exit was looked at, and what was wrong."""

    looks: Counter[str] = field(default_factory=Counter)
    harm: list[str] = field(default_factory=list)

    def look(self, exit_: str, found: Sequence[str], where: str = "") -> None:
        self.looks[exit_] += 1
        self.harm += [f"{exit_} {where}: {one}" for one in found]

    def same(self, exit_: str, shown: Sequence[str], meant: Sequence[str]) -> None:
        """The texts at an exit are those that were meant, as far as there is room for them."""
        self.looks[exit_] += len(meant)
        odd = [pair for pair in zip(shown, meant, strict=False) if not _is_it(*pair)]
        if odd or len(shown) != len(meant):
            self.harm.append(f"{exit_}: {len(shown)} texts for {len(meant)}, {odd[:2]}")


@dataclass
class House:
    """The service; papers are put in by `take`, and come out by the exits."""

    cli: Desk
    web: WebDesk
    sink: Sink
    seen: Seen = field(default_factory=Seen)

    def __post_init__(self) -> None:
        self.browser = Browser(self.web)
        self.known_in_mails: frozenset[tuple[str, str]] = frozenset()

    @property
    def engine(self) -> Engine:
        return self.web.engine

    def take(self, listings: Sequence[Listing], source: str = "test") -> None:
        """Keep papers as `fetch` does."""
        done = keep(self.engine, a_batch(*listings, source=source), NOON)
        assert not done.rejected, done.rejected[:3]

    def titles(self) -> dict[int, str]:
        """The papers of the store by their ids."""
        rows = table(PaperRow).c
        with transaction(self.engine) as session:
            found = session.execute(select(rows.id, rows.title).order_by(rows.id)).all()
        return dict(map(tuple, found))

    def know_harmless(self) -> None:
        """Learn which elements mails have of themselves, from a paper with all there is; to be
        called while the store holds no other.
        """
        links = Links(
            pdf="https://x.example/a.pdf", code="https://x.example/b", project="https://x.example/c"
        )
        full = {"venue": "Conf", "tldr": "Short.", "links": links, "attention": attention(9)}
        self.take([a_listing("Learning to Wait", **full), a_listing("Learning to Run")])
        self.through_mail()
        self.known_in_mails = frozenset({*self._met_in_mails, ("br", "")})
        self.web.window.refresh()

    _met_in_mails: set[tuple[str, str]] = field(default_factory=set)

    # Mail

    def through_mail(self) -> list[int]:
        """One digest for each forty papers, delivered over SMTP; the readers' ids."""
        papers = self.titles()
        groups = [list(papers)[at : at + A_DIGEST] for at in range(0, len(papers), A_DIGEST)]
        readers = [self._reader(number, group) for number, group in enumerate(groups)]
        self.sink.received.clear()
        # a thread without a loop of its own: the browser's driver has one in the test's
        with ThreadPoolExecutor(1) as other:
            other.submit(deliver, post_to(self.engine, self.sink, NOON), options()).result()
        mails = {mail.recipient: mail.content for mail in self.sink.received}
        for (email, _), group in zip(readers, groups, strict=True):
            meant = [shortened(plain(papers[number]), TITLE_MOST) for number in group]
            self._look_at_mail(mails[email], meant)
        return [person for _, person in readers]

    def _reader(self, number: int, group: Sequence[int]) -> tuple[str, int]:
        email = f"reader{len(self.seen.looks)}-{number}@lab.example"
        person = a_person(self.web, email, "learning")
        with transaction(self.engine) as session:
            outbox.enqueue_digest(
                session,
                person,
                Digest(digest_on=DAY, picks=tuple(_pick(PaperId(one)) for one in group)),
                edition_id=None,
                message_id=f"<digest.{person}@papers.example>",
                now=NOON,
            )
        return email, person

    def _look_at_mail(self, content: bytes, meant: Sequence[str]) -> None:
        mail = harm.fields_of(content)
        html, text = (mail.get_body((kind,)) for kind in ("html", "plain"))
        assert html is not None
        assert text is not None
        page = harm.Html(html.get_content())
        words = text.get_content().replace("\r\n", "\n")
        self.seen.look("mail: headers", harm.in_headers(content))
        self.seen.look("mail: HTML", [*page.harm(), *harm.in_text(page.text.replace("\r\n", "\n"))])
        self.seen.look("mail: text", harm.in_text(words))
        self._met_in_mails |= page.elements
        if self.known_in_mails:
            self.seen.look("mail: HTML", [str(one) for one in page.elements - self.known_in_mails])
            shown = [" ".join(one.split()) for one in page.headings[1:]]
            self.seen.same("mail: HTML", shown, meant)
            bare = "".join(words.split())
            # a mail that would be too large has its titles cut
            lost = [one for one in meant if "".join(one[:60].split()) not in bare]
            self.seen.look("mail: text", [f"{one[:60]!r} is not there" for one in lost])

    # Pages and feeds

    def through_pages(self, every: int) -> None:
        """The front page, the archive, searches, each `every`-th paper's own page, and feeds."""
        self.web.window.refresh()
        papers = self.titles()
        days = [f"/archive/2026-03-12?page={n}" for n in range(1, 2 + len(papers) // PAGE, every)]
        for path in ("/", "/archive", "/preview?interests=learning", *days):
            self._look_at_page(path)
        for number in list(papers)[::every]:
            page = self._look_at_page(f"/papers/{number}")
            self.seen.same("page", [page.headings[0].strip()], [_as_shown(papers[number])])
        for path in ("/feed.atom", "/feed.json", "/feed.atom?interests=learning"):
            self.look_at_feed(path)

    def look_at_reply(self, reply, where: str) -> harm.Html:
        """A page that a request got; anything but a failure of the service."""
        page = harm.Html(reply.text)
        self.seen.look("page", [*_of_page(page), *harm.in_text(page.text)], where)
        acting = {one for one in page.elements if not _HARMLESS.fullmatch(one[1])}
        self.seen.look("page", [str(one) for one in acting - _vocabulary()], where)
        if reply.status_code >= 500:
            self.seen.look("page", [f"status {reply.status_code}"], where)
        for name, value in reply.headers.items():
            self.seen.look("HTTP headers", [name] if set(value) & set("\r\n\0") else [])
        return page

    def _look_at_page(self, path: str) -> harm.Html:
        reply = self.browser.get(path)
        assert reply.status_code == 200, (path, reply.status_code)
        return self.look_at_reply(reply, path)

    def own_feeds(self, person: int) -> dict[str, str]:
        """The titles in a reader's private feed, by their ids."""
        token = self.browser.token(Purpose.FEED, person)
        return self.look_at_feed(f"/feeds/{token}.atom") | self.look_at_feed(f"/feeds/{token}.json")

    def look_at_feed(self, path: str) -> dict[str, str]:
        reply = self.browser.get(path)
        assert reply.status_code == 200, path
        found: dict[str, str] = {}
        if ".json" in path:
            entries = [
                (item["id"], item["title"], item["content_html"])
                for item in json.loads(reply.content)["items"]
            ]
        else:
            root = ET.fromstring(reply.content)
            entries = [
                (one.findtext(f"{_ATOM}id"), one.findtext(f"{_ATOM}title"), one.findtext(
                    f"{_ATOM}content")) for one in root.iter(f"{_ATOM}entry")
            ]  # fmt: skip
        for name, title, content in entries:
            page = harm.Html(content or "")
            odd = [str(one) for one in page.elements if one[0] not in ("p", "em", "a")]
            self.seen.look("feed served", [*page.harm(), *odd, *harm.in_text(page.text)], path)
            self.seen.look("feed served", harm.in_text(title or ""), path)
            found[str(name).rpartition("/")[2]] = title or ""
        return found

    # The terminal

    def through_terminal(self, *commands: tuple[str, ...]) -> None:
        """Commands that list things; in JSON their texts are the store's own."""
        for command in commands:
            for more in ((), ("--json",)):
                ended = self.cli.run(*command, *more)
                self.seen.look("terminal", harm.in_text(ended.out + ended.err), " ".join(command))
                assert "Traceback" not in ended.err, ended.err[-500:]
                if more and ended.code == 0:
                    json.loads(ended.out)


@cache
def _vocabulary() -> frozenset[tuple[str, str]]:
    """All elements with their attributes that the templates of the pages write themselves."""
    sources = (folder("templates") / "web").glob("*.html")
    pages = [harm.Html(_JINJA.sub(" ", path.read_text("utf-8"))) for path in sources]
    return frozenset().union(*(page.elements for page in pages))


def _pick(paper: PaperId) -> Pick:
    reason = Reason(where=Where.TITLE, interest="learning", words=("learning",), upvotes=9)
    return Pick(paper_id=paper, score=1, relevance=1, trend=0, reason=reason)


def _is_it(shown: str, meant: str) -> bool:
    begin = shown.removesuffix("…")
    return shown == meant or (shown != begin and len(begin) > 60 and meant.startswith(begin))


def _as_shown(title: str) -> str:
    return shortened(plain(title), TITLE_MOST)


def _of_page(page: harm.Html) -> Iterator[str]:
    """What could do anything but our own script, which is a file of ours and has no words."""
    for one in page.harm():
        if one != "<script>":
            yield one
    sources = [value for tag, name, value in page.attributes if (tag, name) == ("script", "src")]
    scripts = page.count["script"]
    if scripts != len(sources) or any(not one.startswith("/static/") for one in sources):
        yield "a script that is none of ours"

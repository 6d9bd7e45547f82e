"""What is fuzzed: for each target its seeds, and what must hold whatever bytes come.

A check raises AssertionError where a promise is broken; anything else that it raises is a crash.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from digest.domain import records
from digest.domain.deliveries import DeliveryId
from digest.domain.digests import Reason, Where
from digest.domain.interest_lists import parse_interests
from digest.domain.interests import in_its_list, interest, written
from digest.domain.papers import Links, Listing, Paper, PaperId, SourceKind
from digest.domain.text import plain_text, plain_title, safe_url
from digest.errors import BadToken, ConfigError, InvalidInput, SourceUnreadable
from digest.mail.entries import view_of
from digest.mail.excerpts import plain
from digest.mail.headers import phrase, unstructured
from digest.mail.links import LONGEST
from digest.mail.links import safe_url as mail_url
from digest.mail.render import Renderer
from digest.mail.returns import read as read_returned
from digest.mail.tokens import Purpose, Tokens
from digest.mail.verp import Verp
from digest.settings import load
from digest.settings.sections import all_keys
from digest.sources.formats import parsed
from tests.corpora import harm
from tests.mail.returned import a_complaint, a_dsn, a_vacation_note, an_opt_out

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "sources" / "fixtures"
SAMPLE = ROOT / "digest" / "sample"
FOUND = Path(__file__).parent / "found"

TOKENS = Tokens(["k" * 32, "an older key of the service"])
VERP = Verp("bounces@papers.example", ["k" * 32])
NUMBERS = (1, 7, 40_000, 2**31 - 1)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One door: `check` takes any bytes, `seeds` are what the door usually gets."""

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]

    @property
    def words(self) -> tuple[str, ...]:
        """What to put into inputs, beside what the coverage tells."""
        return _WORDS[self.name]

    def all_seeds(self) -> list[bytes]:
        """The seeds, and what fuzzing found before."""
        return [
            *self.seeds(),
            *(path.read_bytes() for path in sorted((FOUND / self.name).glob("*"))),
        ]


def _one_line(exc: Exception) -> None:
    said = str(exc)
    assert said, "an error without words"
    assert "\n" not in said, said


# Sources


def _parse(kind: SourceKind, data: bytes) -> None:
    try:
        found = parsed(kind, data, NOW, url="https://example.org/feed")
    except SourceUnreadable as exc:
        _one_line(exc)
        return
    for listing in found.listings:
        _plain(listing)
    assert all("\n" not in one.reason for one in found.rejected)


def _plain(listing: Listing) -> None:
    """The listing holds plain text and addresses of the web alone."""
    names = (*listing.authors, *listing.categories, listing.venue or "", listing.tldr or "")
    for text in (listing.title, listing.abstract, *names):
        assert not harm.in_text(text), (harm.in_text(text), text[:80])
        assert "\n" not in text, text[:80]
    ways = (listing.url, listing.links.pdf, listing.links.code, listing.links.project)
    for url in ways:
        assert url is None or url.startswith(("http://", "https://")), url


def page(data: bytes) -> None:
    _parse(SourceKind.PAGE, data)


def feed(data: bytes) -> None:
    """Any feed; arXiv's are the same with more fields."""
    for kind in (SourceKind.FEED, SourceKind.ARXIV_RSS, SourceKind.ARXIV_API):
        _parse(kind, data)


def reply(data: bytes) -> None:
    """The sources that answer in JSON."""
    kinds = (
        SourceKind.HUGGINGFACE, SourceKind.JSONL, SourceKind.BIORXIV, SourceKind.OPENREVIEW,
    )  # fmt: skip
    for kind in kinds:
        _parse(kind, data)


def _files(*paths: Path) -> list[bytes]:
    return [path.read_bytes()[:9_000] for path in paths]


# What comes back


def bounces(data: bytes) -> None:
    """Any bytes are a mail; addresses found in it are one line each."""
    found = read_returned(data)
    assert len(found.key) == 64
    assert len(found.failures) <= 100
    told = (*found.recipients, *(one.address for one in found.failures), *found.addressed_to)
    for address in told:
        assert not any(c < " " or c == "\x7f" for c in address), address
    assert all("\n" not in one.detail for one in found.failures)


def _returned() -> list[bytes]:
    sender = VERP.sender(7)
    return [
        *(a_dsn(sender, kind=kind) for kind in ("hard", "soft", "policy")),
        a_complaint("<x@papers.example>"),
        an_opt_out("abc.def.ghi"),
        a_vacation_note(sender),
        b"From: MAILER-DAEMON@x.example\n\n<a@b.example>:\n550 5.1.1 user unknown\n",
        b'From: a@b.example\n\n{"notificationType":"Bounce","bounce":{"bounceType":"Permanent"}}',
    ]


# Tokens


_ISSUED = {
    (purpose, TOKENS.sign(purpose, payload, NOW)): payload
    for purpose in Purpose
    for payload in ("1", "40000", "7:20260312T120000Z", "ada@example.com")
}
_SENDERS = {VERP.sender(number): DeliveryId(number) for number in NUMBERS}


def tokens(data: bytes) -> None:
    """Nothing but what was issued is taken, and for its own purpose alone."""
    text = data.decode("utf-8", "surrogateescape")
    for purpose in Purpose:
        try:
            payload = TOKENS.read(purpose, text, NOW)
        except BadToken as exc:
            _one_line(exc)
        else:
            assert _ISSUED.get((purpose, text)) == payload, (purpose, text)
    number = VERP.read(text)
    if number is not None:
        mark = VERP.sender(number).partition("+b")[2].partition("@")[0]
        assert f"+b{mark}@" in text.lower(), text
        assert number in _SENDERS.values(), text
    VERP.is_ours(text)


def _issued() -> list[bytes]:
    return [*(token.encode() for _, token in _ISSUED), *(one.encode() for one in _SENDERS)]


# Interests


def interests(data: bytes) -> None:
    """What is read is written so that it is read again as the same, in each of the forms."""
    try:
        items = parse_interests(data.decode("utf-8", "replace"))
    except InvalidInput as exc:
        _one_line(exc)
        return
    for item in items:
        assert interest(written(item)) == item, written(item)
        assert len(item.text) <= 64
        assert not harm.in_text(item.text.replace("\u200c", "").replace("\u200d", "")), item.text
    lists = records.by_column(items)
    for name, held in lists.items():
        kind, excluded = records.LISTS[name]
        texts = [in_its_list(item) for item in held]
        again = tuple(interest(text, kind, excluded=excluded) for text in texts)
        assert again == held, texts
        cell = records.guarded(records.join_list(texts))
        assert records.split_list(records.unguarded(cell)) == texts, cell


_INTERESTS = (
    'continual learning\n"exact words"^2\n-survey\nauthor:Y. LeCun AND cat:cs.LG',
    '-(a AND b), few-shot; C++, title: subtitle, 5" screens, \\-games, venue:ICLR',
    "图神经网络、“引号”；графовые сети，search \\AND rescue^0.5",
)


# Text


_RENDERER = Renderer()


def text(data: bytes) -> None:
    """Text from outside becomes plain, and stands in mails as nothing but text."""
    raw = (
        data.decode("utf-8", "surrogatepass") if _is_wide(data) else data.decode("utf-8", "replace")
    )
    said = plain_text(raw)
    assert not harm.in_text(said), said[:80]
    assert len(said) <= 20_000
    url = safe_url(raw)
    for found in (url, mail_url(raw)):
        assert found is None or (found.isascii() and not set(found) & set(" \"'<>\r\n")), found
    assert url is None or len(url) > LONGEST or mail_url(url) == url, url
    _in_header(raw)
    title = plain_title(raw)
    if any(c.isalnum() for c in title):
        _in_mail(title, said, url)


def _is_wide(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _in_header(raw: str) -> None:
    head = f"Subject: {unstructured(raw, 'Subject')}\r\nFrom: {phrase(raw, 'From')} <a@b.example>"
    mail = f"{head}\r\n\r\n".encode()
    assert not harm.in_headers(mail), harm.in_headers(mail)
    assert harm.fields_of(mail).keys() == ["Subject", "From"]


def _in_mail(title: str, abstract: str, url: str | None) -> None:
    paper = Paper(
        id=PaperId(1), title=title, abstract=abstract, authors=(title[:200],), url=url,
        categories=(title[:200],), first_seen_at=NOW, links=Links(code=url),
    )  # fmt: skip
    words = tuple(title.split()[:2])
    reason = Reason(where=Where.TITLE, interest=title[:64], words=words, upvotes=3)
    shown = view_of(reason, paper, "https://papers.example", 340, False)
    html = _RENDERER._environment.get_template("mail/digest/paper.html").render(paper=shown)
    found = harm.Html(html)
    assert not list(found.harm()), list(found.harm())
    assert found.elements <= _ENTRY, found.elements - _ENTRY
    assert " ".join(found.headings[0].split()) == shown.title_text, title
    whole, told = (text[:200].removesuffix("…") for text in (plain(title), shown.title_text))
    assert whole == told or len(title) > 300, title


_ENTRY = {
    *((tag, "") for tag in ("table", "tbody", "tr", "td", "h2", "a", "span", "p", "b")),
    *(("table", name) for name in ("role", "class", "width", "cellpadding", "cellspacing")),
    *((tag, "style") for tag in ("table", "tr", "td", "h2", "a", "span", "p", "b")),
    *((tag, "class") for tag in ("td", "h2", "a", "span", "p", "b")),
    *(("tr", "valign"), ("a", "href"), ("td", "width"), ("td", "align"), ("td", "valign")),
}
_TEXTS = (
    "Learning $n^2$ things at >4\\% cost: Andr\\'e & \\textbf{co} in \\mathcal{O}(n)",
    "a < b and <think>c</think> &lt;script&gt;alert(1)&lt;/script&gt; <!-- x --> <b>bold</b>",
    '"><img src=x onerror=alert(1)> <svg onload=x> </title><![CDATA[ ]]> \u202eevil\u2066',
    "https://example.org/a?b=c&d=%20#e \x1b[31mred\x1b]0;title\x07 \x9b1m",
    "\\href{javascript:alert(1)}{here} \\url{http://x.example} {\\bf bold} $\\frac{1}{2}$",
)


# Settings


_FOLDER: list[tempfile.TemporaryDirectory[str]] = []


def config(data: bytes) -> None:
    """Any file is settings or one line that says what is wrong with it."""
    if not _FOLDER:
        _FOLDER.append(tempfile.TemporaryDirectory())
    path = Path(_FOLDER[0].name) / "config.toml"
    path.write_bytes(data)
    path.chmod(0o600)
    for name in [name for name in os.environ if name.startswith("DIGEST_")]:
        del os.environ[name]
    try:
        found = load(path)
    except ConfigError as exc:
        _one_line(exc)
        return
    settings = found.settings
    for value in (settings.sender.name, settings.sender.address, settings.smtp.host):
        assert not set(value) & set("\r\n\0"), value


def _configs() -> list[bytes]:
    example = (ROOT / "config.example.toml").read_text("utf-8")
    sections = example.split("\n[")
    return [
        b'secret_keys = ["k"]\npepper = "p"\n[sender]\naddress = "a@b.example"\nname = "x"\n',
        b'[smtp]\nhost = "localhost"\nport = 25\nsecurity = "none"\n',
        b'[[sources]]\nname = "x"\nkind = "feed"\nurl = "https://x.example/feed"\n',
        *(f"[{section}".encode()[:3_000] for section in sections[1:]),
    ]


_WORDS = {
    "page": ("Get trending papers in your email inbox!", "Subscribe", "Daily Papers", "Mar 12"),
    "feed": ("<!ENTITY", "<!DOCTYPE", "<![CDATA[", "]]>", "<item>", "<entry>", "encoding=",
             "utf-16", "<content type=", "xhtml", "base64", "<author>", "<link href="),
    "reply": ("title", "abstract", "authors", "publishedAt", "upvotes", "paper", "1e999"),
    "bounces": ("Final-Recipient: rfc822;", "Content-Type: multipart/report; boundary=",
                "message/delivery-status", "message/rfc822", "base64", "quoted-printable",
                "=?utf-8?b?", "550 5.1.1 ", "charset=", "text/html"),
    "tokens": ("=", ".", "+b7-", "@papers.example"),
    "interests": ("author:", "cat:", "venue:", " AND ", "\\AND", "-(", ")", "^2", '\\"', "“", "；"),
    "text": ("\\frac{", "\\textbf{", "$", "&amp;", "&#x", "<script", "-->", "<!--", "\u202e",
             "\\href{", "javascript:", "<![CDATA[", "\x1b]", "onerror="),
    "config": (*(key for key, _ in all_keys()), "[[", "]]", "'''", '"""', "true", "1e9"),
    "planted": ("bug",),
}  # fmt: skip


def planted(data: bytes) -> None:
    """A bug, by which the tests know that a bug would be found."""
    assert b"bug" not in data


def _pages() -> list[bytes]:
    return _files(FIXTURES / "page_glued.txt", FIXTURES / "page_spaced.txt", SAMPLE / "page.txt")


def _feeds() -> list[bytes]:
    return _files(FIXTURES / "arxiv_api.xml", FIXTURES / "arxiv_rss.xml", SAMPLE / "feed.xml")


def _replies() -> list[bytes]:
    line = b'{"title": "T", "abstract": "A", "authors": ["B"], "date": "2026-03-12"}\n'
    return [*_files(FIXTURES / "hf.json", SAMPLE / "daily.json"), line]


TARGETS = {
    "page": Target(name="page", check=page, seeds=_pages),
    "feed": Target(name="feed", check=feed, seeds=_feeds),
    "reply": Target(name="reply", check=reply, seeds=_replies),
    "bounces": Target(name="bounces", check=bounces, seeds=_returned),
    "tokens": Target(name="tokens", check=tokens, seeds=_issued),
    "interests": Target(
        name="interests", check=interests, seeds=lambda: [one.encode() for one in _INTERESTS]
    ),
    "text": Target(name="text", check=text, seeds=lambda: [one.encode() for one in _TEXTS]),
    "config": Target(name="config", check=config, seeds=_configs),
    "planted": Target(name="planted", check=planted, seeds=lambda: [b"bu"]),
}

"""The ways in which servers of sources go wrong, and how each fetch is to end."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from digest.domain.papers import Outcome, SourceKind
from tests.faults.servers.web import GOOD, Answer, Pieces, Site, head, ok

CHUNKED = "Transfer-Encoding: chunked"
MARKS = b"<description>" + b"&lt;!--" * 80_000 + b"</description>"
HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"
CHUNK = b"1000\r\n" + b"x" * 4096 + b"\r\n"
LAUGHS = (
    b"<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY a 'ha'>"
    + b"".join(b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(20))
    + b"]><rss version='2.0'><channel><item><title>&u;</title></item></channel></rss>"
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """An answer, how the fetch ends, and words that its note has.

    `kind` is what the source is said to be, `is_large` asks to look at memory, `most_asked` bounds
    how often the server is asked.
    """

    answer: Answer
    ends: Outcome = Outcome.FAULT
    says: str = ""
    kind: SourceKind = SourceKind.FEED
    most_asked: int = 4
    is_large: bool = False
    is_quick: bool = False


def _broken(body: bytes, says: str = "", **changes: object) -> Case:
    return Case(answer=ok(body), ends=Outcome.BROKEN, says=says, most_asked=1, **changes)  # type: ignore[arg-type]


def _fine(answer: Answer) -> Case:
    return Case(answer=answer, ends=Outcome.PAPERS, most_asked=1)


def _status(status: str, *headers: str, says: str = "", most_asked: int = 1) -> Case:
    answer = head(*headers, "Content-Length: 0", status=status) + b"\r\n\r\n"
    return Case(answer=answer, says=says, most_asked=most_asked)


def _later(value: str, says: str) -> Case:
    return _status("429 Too Many Requests", f"Retry-After: {value}", says=says, most_asked=4)


def _to(location: str, says: str, most_asked: int = 1) -> Case:
    case = _status("302 Found", f"Location: {location}", says=says)
    return Case(answer=case.answer, says=says, most_asked=most_asked)


def _bomb() -> bytes:
    """A gibibyte of zeros, packed: blocks that each stand for themselves, one like the other."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = packer.compress(b"\0" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"\0" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + block * 1_023


def _secret(form: str) -> Callable[[Site], Pieces]:
    def answer(site: Site) -> Pieces:
        yield ok(form.replace("SECRET", site.secret).encode())

    return answer


def _moved(site: Site) -> Pieces:
    yield head(f"Location: {site.secret}", "Content-Length: 0", status="302 Found") + b"\r\n\r\n"


_FEED_OF = "]><rss version='2.0'><channel><item><title>&x;</title></item></channel></rss>"
BOMB = _bomb()
CASES: dict[str, Case] = {
    "304 without being asked": Case(
        answer=head(status="304 Not Modified") + b"\r\n\r\n", ends=Outcome.UNCHANGED
    ),
    "404": _status("404 Not Found", says="nothing there: check the address"),
    "410": _status("410 Gone", says="nothing there: check the address"),
    "403": _status("403 Forbidden", says="refuses us"),
    "451": _status("451 Unavailable For Legal Reasons", says="HTTP 451"),
    "500 again and again": _status("500 Oops", says="HTTP 500", most_asked=4),
    "999": _status("999 What", says="HTTP 999"),
    "204": Case(
        answer=head(status="204 No Content") + b"\r\n\r\n", ends=Outcome.BROKEN, says="empty"
    ),
    "429, a day in seconds": _later("86400", "asks to wait 86,400 s"),
    "429, a day as a date": _later("Fri, 13 Mar 2026 12:00:00 GMT", "asks to wait 86,400 s"),
    "429, ages": _later("9" * 400, "asks to wait 999,999,999,999 s"),
    "429, the year 9999": _later("Fri, 31 Dec 9999 23:59:59 GMT", "asks to wait"),
    "429, nonsense": _later("soon \x1b[31m", "HTTP 429"),
    "429, the past": _later("Thu, 01 Jan 1970 00:00:00 GMT", "HTTP 429"),
    "redirect loop": _to("/bad", "more than 5 redirects", 6),
    "redirect to a private address": Case(
        answer=_moved, says="own network: nothing was asked there", most_asked=1, is_quick=True
    ),
    "redirect to the cloud's secrets": _to("http://169.254.169.254/latest", "own network"),
    "redirect to a file": _to("file:///etc/passwd", "only http(s) is followed"),
    "redirect to nowhere": _to("", "only http(s) is followed"),
    "redirect to nonsense": _to("http://[::1", "no address"),
    "redirect to a port that is none": _to("http://a.example:99999/", "redirect to no address"),
    "redirect of a megabyte": _to("/" + "a" * 1_000_000, "", 4),
    "slow-loris in the headers": Case(
        answer=lambda site: site.slowly(head() + b"\r\nX: " + b"y" * 9_999),
        says=" 1 s",
        is_quick=True,
    ),
    "slow-loris in the status line": Case(
        answer=lambda site: site.slowly(b"HTTP/1.1 200 " + b"O" * 9_999),
        says=" 1 s",
    ),
    "slow-loris in the body": Case(
        answer=lambda site: site.slowly(head() + b"\r\n\r\n" + GOOD * 9),
        says=" 1 s",
    ),
    "silence": Case(
        answer=lambda site: [b"" for _ in [site.over.wait(5)]], says="no answer in time"
    ),
    "endless chunks": Case(
        answer=lambda site: site.for_ever(CHUNK, head(CHUNKED) + b"\r\n\r\n"),
        says="larger than 10,000,000 bytes",
        is_large=True,
    ),
    "endless body": Case(
        answer=lambda site: site.for_ever(b"x" * 65_536, head() + b"\r\n\r\n"),
        says="larger than 10,000,000 bytes",
        is_large=True,
        is_quick=True,
    ),
    "endless headers": Case(
        answer=lambda site: site.for_ever(b"X-A: b\r\n" * 500, head() + b"\r\n"), is_large=True
    ),
    "endless small replies": Case(
        answer=lambda site: site.for_ever(b"HTTP/1.1 100 Continue\r\n\r\n" * 99), is_large=True
    ),
    "one header of a megabyte": Case(answer=ok(GOOD, "X: " + "y" * 1_000_000)),
    "ten thousand headers": Case(answer=ok(GOOD, *("X-A: b" for _ in range(20_000)))),
    "chunk of exabytes": Case(
        answer=head(CHUNKED) + b"\r\n\r\nFFFFFFFFFFFFFFF0\r\n" + GOOD, says="", most_asked=4
    ),
    "chunk of nonsense": Case(answer=head(CHUNKED) + b"\r\n\r\n-1\r\n" + GOOD),
    "gzip bomb of a gibibyte": Case(
        answer=ok(BOMB, "Content-Encoding: gzip"),
        says="unpacks to more than 10,000,000 bytes",
        most_asked=1,
        is_large=True,
        is_quick=True,
    ),
    "gzip within gzip": Case(
        answer=ok(gzip.compress(gzip.compress(GOOD)), "Content-Encoding: gzip"), ends=Outcome.BROKEN
    ),
    "gzip that is none": Case(answer=ok(GOOD, "Content-Encoding: gzip"), says="spoiled"),
    "gzip cut off": Case(
        answer=ok(gzip.compress(GOOD)[:-20], "Content-Encoding: gzip"), says="ends too early"
    ),
    "packed as was not asked": Case(
        answer=ok(GOOD, "Content-Encoding: br"), most_asked=1, says="'br'"
    ),
    "shorter than its length": Case(answer=head("Content-Length: 9999") + b"\r\n\r\n" + GOOD),
    "longer than its length": Case(
        answer=head("Content-Length: 60") + b"\r\n\r\n" + GOOD, ends=Outcome.EMPTY, most_asked=1
    ),
    "length that is none": Case(answer=head("Content-Length: many") + b"\r\n\r\n" + GOOD),
    "two lengths": Case(
        answer=head("Content-Length: 1", "Content-Length: 99") + b"\r\n\r\n" + GOOD
    ),
    "charset that is wrong": _fine(ok(GOOD, "Content-Type: text/xml; charset=utf-16")),
    "charset that is none": _fine(ok(GOOD, "Content-Type: text/xml; charset=\x1b[31m-9")),
    "type that is wrong": _fine(ok(GOOD, "Content-Type: image/png")),
    "billion laughs": _broken(LAUGHS, "entities that can grow", is_quick=True),
    "entity of a file": Case(
        answer=_secret("<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/hostname'>" + _FEED_OF),
        ends=Outcome.BROKEN,
        says="entities that can grow or read files",
    ),
    "entity of an address": Case(
        answer=_secret("<!DOCTYPE r [<!ENTITY x SYSTEM 'SECRET'>" + _FEED_OF),
        ends=Outcome.BROKEN,
        says="entities that can grow or read files",
    ),
    "entity of an entity": Case(
        answer=_secret("<!DOCTYPE r [<!ENTITY % p SYSTEM 'SECRET'> %p; " + _FEED_OF),
        ends=Outcome.BROKEN,
        says="entities",
    ),
    "DTD of an address": Case(  # its address is not asked; the feed itself is good
        answer=_secret("<!DOCTYPE rss SYSTEM 'SECRET'>" + GOOD.decode().partition("?>")[2]),
        ends=Outcome.PAPERS,
    ),
    "560 KB of comment marks": _fine(  # in the library's cleaning 76 s
        ok(GOOD.replace(b"</link></item>", b"</link>" + MARKS + b"</item>"))
    ),
    "feed of 300,000 nested tags": _broken(b"<rss>" + b"<a>" * 300_000, "300,000 tags"),
    "HTML with 200": _broken(HTML, "got an HTML page"),
    "HTML with 200 for JSON": _broken(HTML, "got an HTML page", kind=SourceKind.HUGGINGFACE),
    "half a JSON": _broken(
        b'[{"paper": {"id": "2603.1', "cut off?", kind=SourceKind.HUGGINGFACE, is_quick=True
    ),
    "JSON of another shape": _broken(b'{"a": 1}', "expected", kind=SourceKind.HUGGINGFACE),
    "JSON nested deeply": _broken(b"[" * 500_000, "expected", kind=SourceKind.HUGGINGFACE),
    "JSON with a number of a million digits": _broken(
        b"[" + b"9" * 1_000_000 + b"]", "expected", kind=SourceKind.HUGGINGFACE
    ),
    "empty 200": _broken(b"", "the reply is empty"),
    "binary": _broken(bytes(range(256)) * 99, "expected"),
    "hangs up at once": Case(answer=b""),
    "hangs up within the headers": Case(answer=head("X: y")),
    "no HTTP at all": Case(answer=b"220 mail.example ESMTP \x1b[31m\r\n" * 9),
    "HTTP/9.9": _fine(b"HTTP/9.9 200 OK\r\n\r\n" + GOOD),
    "controls in a header": Case(answer=ok(GOOD, "X: a\x00b\x1b[31m")),
}  # fmt: skip

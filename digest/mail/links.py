"""Addresses in mails: which may stand there at all, and those of the service's own pages."""

import re
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote, urlsplit

from digest.domain.feedback import Opinion
from digest.domain.papers import PaperId

LONGEST = 900  # well below the 998 octets of a header line (RFC 5322 §2.1.1)
_FORBIDDEN = frozenset(" \t\"'<>\\^`{|}")
# What nearly all addresses are, and certainly a link: a plain host, and nothing to encode after it.
_PLAIN = re.compile(
    r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?(?:/[A-Za-z0-9/._~%?&=+,;:@!$()*#-]*)?"
    r"|mailto:[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+(?:\?[A-Za-z0-9._~%&=+-]*)?"
)


def safe_url(url: str | None) -> str | None:
    """The URL if it may be a link in a mail (absolute http, https or mailto), else None.

    Characters outside ASCII are percent-encoded; an address with white space, quotes or control
    characters in it is refused, not mended.
    """
    if not url or len(url) > LONGEST:
        return None
    return url if _PLAIN.fullmatch(url) else _checked(url)


def _checked(url: str) -> str | None:
    if any(c in _FORBIDDEN or c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme == "mailto":
        ok = "@" in parts.path and url.isascii()
    else:
        ok = parts.scheme in ("http", "https") and bool(host) and "@" not in parts.netloc
    encoded = _ascii(url) if ok else ""
    return encoded if 0 < len(encoded) <= LONGEST else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """The public web pages at `url` (no slash at its end); every link is None where it is None."""

    url: str | None = None

    def confirm(self, token: str) -> str | None:
        """Where a new subscriber confirms."""
        return self._page("confirm", token)

    def unsubscribe(self, token: str) -> str | None:
        """Where one leaves: a page to people, one click to mail programs (RFC 8058)."""
        return self._page("unsubscribe", token)

    def preferences(self, token: str) -> str | None:
        """Where interests and schedule are changed."""
        return self._page("preferences", token)

    def paper(self, paper_id: PaperId) -> str | None:
        """The page of a paper that has no address of its own."""
        return self._page("papers", str(paper_id))

    def voting(self, token: str) -> str | None:
        """What the addresses of all votes begin with that this token allows."""
        page = self._page("feedback", token)
        return f"{page}/" if page else None

    def feedback(self, token: str, paper_id: PaperId, opinion: Opinion) -> str | None:
        """Where one says `more like this` or `less like this`: a page with one button."""
        begin = self.voting(token)
        return f"{begin}{paper_id}/{opinion.value}" if begin else None

    def access(self) -> str | None:
        """Where one asks for a new link to one's settings."""
        return f"{self.url}/access" if self.url else None

    def change_address(self, token: str) -> str | None:
        """Where a new address is confirmed."""
        return self._page("change-address", token)

    def archive(self) -> str | None:
        """Where earlier editions are."""
        return f"{self.url}/archive" if self.url else None

    def reading(self, token: str, day: date) -> str | None:
        """The digest of that local date in the browser."""
        page = self._page("digests", token)
        return f"{page}/{day.isoformat()}" if page else None

    def invitation(self, token: str) -> str | None:
        """Where somebody who was invited signs up."""
        return f"{self.url}/?invitation={quote(token, safe='.-_~')}" if self.url else None

    def _page(self, kind: str, name: str) -> str | None:
        return f"{self.url}/{kind}/{quote(name, safe='.-_~')}" if self.url else None


def unsubscribe_mailto(address: str | None, token: str) -> str | None:
    """The mailto way to leave, its token in the subject; None without an address to write to."""
    if not address:
        return None
    return f"mailto:{quote(address, safe='@+.-_')}?subject={quote('unsubscribe ' + token)}"


def _ascii(url: str) -> str:
    if url.isascii():
        return url
    parts = urlsplit(url)
    try:
        netloc = parts.netloc.encode("idna").decode("ascii")
    except UnicodeError:
        netloc = quote(parts.netloc, safe=":[]%")
    rest = quote(url[url.index("//") + 2 + len(parts.netloc) :], safe="/?#[]@!$&'()*+,;=:%~")
    return f"{parts.scheme}://{netloc}{rest}"

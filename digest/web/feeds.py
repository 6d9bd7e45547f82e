"""Feeds for readers that poll: what trends, what matches keywords, and one's own digests."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from threading import Lock
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.domain.interest_lists import parse_interests
from digest.domain.interests import Interest, written
from digest.domain.subscribers import SubscriberId
from digest.errors import BadToken
from digest.mail.tokens import Purpose
from digest.services.feeds import Entry, own_entries
from digest.web.desk import Desk, desk_of
from digest.web.feedforms import ATOM_TYPE, JSON_TYPE, Feed, atom, json_feed, newest
from digest.web.forms import query_of

FRESH = timedelta(minutes=5)
MOST_KEPT = 256  # some 10 MB
ENTRIES = 30

_FORMS: dict[str, tuple[str, Callable[[Feed], bytes]]] = {
    "atom": (ATOM_TYPE, atom),
    "json": (JSON_TYPE, json_feed),
}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")
_NOT_READY = {"retry-after": "60"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A feed as it is sent, with its validators (RFC 9110 §8.8); made at an instant."""

    body: bytes
    kind: str
    etag: str
    changed_at: datetime
    made_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A feed of keywords that somebody asked for, of the papers of an instant."""

    form: str
    base: str
    interests: tuple[Interest, ...]
    at: datetime

    @property
    def words(self) -> str:
        """The keywords as one may type them again; empty where there are none."""
        return ", ".join(written(one) for one in self.interests)


class Shelf:
    """Feeds that were asked for lately: readers ask for the same again and again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Written] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, now: datetime, make: Callable[[], Written]) -> Written:
        """The feed of that key, made anew after five minutes."""
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or not timedelta(0) <= now - kept.made_at < FRESH:
            kept = make()
            with self._lock:
                self._kept[key] = kept
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return kept


def of_keywords(request: Request) -> Response:
    """GET /feed.atom, /feed.json: what matches `interests`; without any, what trends.

    A feed on one thing is not to fill with others: what trends beyond the keywords is not in it,
    and where nothing matches there is no entry.
    """
    desk, form = desk_of(request), _form(request)
    interests = parse_interests(query_of(request).one("interests"))
    at, base = desk.window.at, _base(request, desk)
    if at is None:
        return Response("The papers are being read: try again in a minute.", 503, _NOT_READY)
    asked = Asked(form=form, base=base, interests=interests, at=at)

    def make() -> Written:
        return _written(form, _keyword_feed(desk, asked), at, desk)

    return _reply(request, _shelf(request).get(asked, desk.clock(), make), "public")


def of_a_reader(request: Request) -> Response:
    """GET /feeds/TOKEN.atom, /feeds/TOKEN.json: the papers of one's own digests of 30 days."""
    desk, form = desk_of(request), _form(request)
    now, token = desk.clock(), request.path_params["token"]
    payload = desk.tokens.read(Purpose.FEED, token, now)
    if not (payload.isascii() and payload.isdigit() and len(payload) < 10):
        raise BadToken("this link is not valid: open the newest mail and try again")
    number, base = SubscriberId(int(payload)), _base(request, desk)

    def make() -> Written:
        entries = own_entries(desk.engine, number, now)
        changed_at = newest(entries, now)
        feed = Feed(
            name=desk.settings.sender.name,
            title=f"My papers · {desk.settings.sender.name}",
            subtitle="The papers of your digests of the last 30 days.",
            key=f"own/{number}",
            authority=_authority(base),
            base=base,
            self_url=f"{base}/feeds/{token}.{form}",
            home_url=f"{base}/",
            updated=changed_at,
            entries=tuple(entries),
        )
        return _written(form, feed, changed_at, desk)

    reply = _reply(request, _shelf(request).get(("own", form, base, token), now, make), "private")
    reply.headers["x-robots-tag"] = "noindex"
    return reply


def _keyword_feed(desk: Desk, asked: Asked) -> Feed:
    name, words = desk.settings.sender.name, asked.words
    found = desk.window.preview(asked.interests, max_papers=ENTRIES)
    is_wanted = any(not one.excluded for one in asked.interests)
    papers = [paper for paper in found.papers if paper.is_match or not is_wanted]
    entries = tuple(
        sorted(
            (Entry(paper=paper, at=paper.seen_at) for paper in papers),
            key=lambda entry: entry.at,
            reverse=True,
        )
    )
    query = f"?{urlencode({'interests': words})}" if words else ""
    digest = hashlib.sha256(words.encode()).hexdigest()[:16]
    return Feed(
        name=name,
        title=f"{words} · {name}" if words else name,
        subtitle=f"New papers that match: {words}." if words else "The papers that trend now.",
        key=f"feed/{digest}" if words else "feed",
        authority=_authority(asked.base),
        base=asked.base,
        self_url=f"{asked.base}/feed.{asked.form}{query}",
        home_url=f"{asked.base}/{query}",
        updated=newest(entries, asked.at),
        entries=entries,
    )


def _written(form: str, feed: Feed, changed_at: datetime, desk: Desk) -> Written:
    kind, write = _FORMS[form]
    body = write(feed)
    return Written(
        body=body,
        kind=kind,
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        changed_at=changed_at.astimezone(UTC).replace(microsecond=0),
        made_at=desk.clock(),
    )


def _reply(request: Request, feed: Written, scope: str) -> Response:
    """The feed, or 304 to who has it; where a tag came, it decides (RFC 9110 §13.2.2)."""
    headers = {
        "etag": feed.etag,
        "last-modified": format_datetime(feed.changed_at, usegmt=True),
        "cache-control": f"{scope}, max-age={int(FRESH.total_seconds())}",
    }
    tags, since = request.headers.get("if-none-match"), request.headers.get("if-modified-since")
    if tags is not None:
        is_known = feed.etag in re.findall(r'"[^"]*"', tags) or tags.strip() == "*"
    else:
        is_known = since is not None and _is_since(feed.changed_at, since)
    if is_known:
        return Response(status_code=304, headers=headers)
    return Response(feed.body, media_type=feed.kind, headers=headers)


def _is_since(changed_at: datetime, since: str) -> bool:
    try:
        known = parsedate_to_datetime(since)
    except ValueError:  # no date: as if it had not been sent
        return False
    return changed_at <= (known if known.tzinfo else known.replace(tzinfo=UTC))


def _form(request: Request) -> str:
    return "json" if request.url.path.endswith(".json") else "atom"


def _base(request: Request, desk: Desk) -> str:
    """What absolute addresses begin with: the site's, or else what the reader called us by."""
    if desk.site.url:
        return desk.site.url
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        host = f"{desk.settings.web.host}:{desk.settings.web.port}"
    return f"{'https' if request.url.scheme == 'https' else 'http'}://{host}"


def _authority(base: str) -> str:
    """The host of an address as a tag may hold it: no port, no brackets (RFC 4151 §2.1)."""
    host = urlsplit(base).hostname or ""
    return host if _HOST.fullmatch(host) else "localhost"


def _shelf(request: Request) -> Shelf:
    state = request.app.state
    if not hasattr(state, "feeds"):
        state.feeds = Shelf()
    shelf: Shelf = state.feeds
    return shelf


routes = [
    Route("/feed.atom", of_keywords),
    Route("/feed.json", of_keywords),
    Route("/feeds/{token}.atom", of_a_reader),
    Route("/feeds/{token}.json", of_a_reader),
]

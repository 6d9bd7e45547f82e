"""Which addresses a live source is asked at: defaults, the day asked for, and the next page."""

import re
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from digest.domain.papers import SourceKind
from digest.sources.entries import Parsed

MOST_PAGES = 20
_HF_PAGE = 100
_ARXIV_SLICE = 200
_ARXIV_SLICES = 5
_OPENREVIEW_PAGE = 200
_LOOK_BACK = timedelta(days=2)
_OPENREVIEW_BACK = timedelta(days=7)
_CATEGORIES = ("cs.AI", "cs.CL", "cs.CV", "cs.LG")
DEFAULT_URLS: dict[SourceKind, str] = {
    SourceKind.HUGGINGFACE: "https://huggingface.co/api/daily_papers",
    SourceKind.ARXIV_RSS: f"https://rss.arxiv.org/atom/{'+'.join(_CATEGORIES)}",
    SourceKind.ARXIV_API: "https://export.arxiv.org/api/query?search_query="
    + "+OR+".join(f"cat:{name}" for name in _CATEGORIES)
    + "&sortBy=submittedDate&sortOrder=descending",
    SourceKind.BIORXIV: "https://api.biorxiv.org/details/biorxiv",
    SourceKind.OPENREVIEW: "https://api2.openreview.net/notes?invitation=TMLR/-/Submission",
}
_DETAILS = re.compile(r"(?P<base>.*/details/\w+)(?P<range>/[^/]+/[^/]+)?(?:/\d+)?(?:/json)?/?$")

Query = dict[str, str]


def first_url(kind: SourceKind, url: str, now: datetime, day: date | None) -> str:
    """Where to begin; `day` narrows sources that can be asked for one, others are asked as ever."""
    match kind:
        case SourceKind.HUGGINGFACE:
            return _huggingface(url, day)
        case SourceKind.ARXIV_API:
            return _arxiv_api(url, day)
        case SourceKind.BIORXIV:
            return _biorxiv(url, day or (now - _LOOK_BACK).date(), day or now.date())
        case SourceKind.OPENREVIEW:
            return _openreview(url, now, day)
        case _:
            return url


def next_url(kind: SourceKind, url: str, page: Parsed, received: int, pages: int) -> str | None:
    """Where the next page is, None where this was the last or enough.

    `received` rows have come in `pages` pages. Pages are as long as the source likes, so the next
    one begins after the rows received, not after those asked for.
    """
    if not page.rows or pages >= MOST_PAGES or (page.total or received + 1) <= received:
        return None
    query = _query(url)
    match kind:
        case SourceKind.HUGGINGFACE:
            whole = {"week", "month"} & query.keys() and page.rows >= int(query["limit"])
            return _with(url, {"p": str(pages)}) if whole else None
        case SourceKind.ARXIV_API if page.total and pages < _ARXIV_SLICES and "start" in query:
            return _with(url, {"start": str(received)})
        case SourceKind.BIORXIV if page.total and (found := _DETAILS.match(url)) and found["range"]:
            return f"{found['base']}{found['range']}/{received}/json"
        case SourceKind.OPENREVIEW if page.total or page.rows >= _OPENREVIEW_PAGE:
            return _with(url, {"offset": str(received)})
        case _:
            return None


def _huggingface(url: str, day: date | None) -> str:
    query = _query(url)
    if day:
        query = {k: v for k, v in query.items() if k not in ("week", "month", "p", "sort")}
        query["date"] = day.isoformat()
    if not query.get("limit", "").isdigit():
        query["limit"] = str(_HF_PAGE)
    return _replaced(url, query)


def _arxiv_api(url: str, day: date | None) -> str:
    """An operator's own `max_results` is one slice; else slices follow one another."""
    query = _query(url)
    if day and (search := query.get("search_query")):
        stamp = day.strftime("%Y%m%d")
        query["search_query"] = f"({search}) AND submittedDate:[{stamp}0000 TO {stamp}2359]"
    if "max_results" not in query and "id_list" not in query:
        query |= {"start": query.get("start", "0"), "max_results": str(_ARXIV_SLICE)}
    else:
        query = {k: v for k, v in query.items() if k != "start" or v != "0"}
    return _replaced(url, query)


def _biorxiv(url: str, first: date, last: date) -> str:
    found = _DETAILS.match(url)
    if not found or found["range"]:
        return url
    return f"{found['base']}/{first.isoformat()}/{last.isoformat()}/0/json"


def _openreview(url: str, now: datetime, day: date | None) -> str:
    since = datetime.combine(day, time(), UTC) if day else now - _OPENREVIEW_BACK
    query = {"mintcdate": str(int(since.timestamp() * 1000)), "limit": str(_OPENREVIEW_PAGE)}
    return _replaced(url, {"sort": "tcdate:asc"} | query | _query(url))


def _query(url: str) -> Query:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _with(url: str, changes: Query) -> str:
    return _replaced(url, _query(url) | changes)


def _replaced(url: str, query: Query) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode(query, safe=":/,-")))

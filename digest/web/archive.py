"""The archive for everybody: earlier days, search, and each paper's page."""

from datetime import date

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from digest.errors import InvalidInput, NotFound
from digest.services import archive
from digest.services.archive import ArchiveDay
from digest.services.shown import page_of
from digest.web import numbers
from digest.web.desk import Desk, desk_of
from digest.web.forms import Form, query_of

MONTHS_ON_A_DAY = 1
MONTHS_ON_THE_FRONT = 3
SCHEMES = {"arxiv": "arXiv", "doi": "DOI", "openreview": "OpenReview", "biorxiv": "bioRxiv"}


def front(request: Request) -> Response:
    """GET /archive: the latest day, and the days before it; with `q` what a search finds."""
    desk, query = desk_of(request), query_of(request)
    if query.has("q"):
        return _search(desk, query)
    now = desk.clock()
    day = archive.latest_day(desk.engine, now) or now.date()
    shown = archive.day_of(desk.engine, day, now)
    return _day_page(desk, shown, months=MONTHS_ON_THE_FRONT, is_front=True)


def one_day(request: Request) -> Response:
    """GET /archive/YYYY-MM-DD: the papers first listed on that day."""
    desk, query = desk_of(request), query_of(request)
    day = _day(request.path_params["day"])
    shown = archive.day_of(desk.engine, day, desk.clock(), page=_number(query))
    return _day_page(desk, shown, months=MONTHS_ON_A_DAY)


def one_paper(request: Request) -> Response:
    """GET /papers/ID: all that is known of a paper; a merged one's page is elsewhere now."""
    desk = desk_of(request)
    number: int = request.path_params["number"]
    found = archive.paper_page(desk.engine, number, desk.clock())
    if found.shown.id != number:
        return RedirectResponse(page_of(found.shown.id), 308)
    names = [(SCHEMES.get(scheme, scheme), value) for scheme, value in found.names]
    return desk.pages.response("paper.html", paper=found, names=names)


def _day_page(desk: Desk, shown: ArchiveDay, *, months: int, is_front: bool = False) -> Response:
    today = desk.clock().date()
    return desk.pages.response(
        "archive.html",
        200 if shown.total or is_front else 404,
        shown=shown,
        months=archive.calendar(desk.engine, min(shown.day, today), months),
        today=today,
        is_front=is_front,
        words="",
        found=None,
        wrong="",
    )


def _search(desk: Desk, query: Form) -> Response:
    words, found, wrong = query.one("q"), None, ""
    try:
        found = archive.search(desk.engine, words, page=_number(query))
    except InvalidInput as exc:
        wrong = str(exc)
    return desk.pages.response(
        "archive.html",
        422 if wrong else 200,
        shown=None,
        months=(),
        today=desk.clock().date(),
        is_front=False,
        words=words,
        found=found,
        wrong=wrong,
    )


def _day(text: str) -> date:
    """A day as addresses have it, and in no other of ISO 8601's spellings. Raises NotFound."""
    try:
        day = date.fromisoformat(text)
    except ValueError as exc:
        raise NotFound("no such day") from exc
    if text != day.isoformat():
        raise NotFound("no such day")
    return day


def _number(query: Form) -> int:
    """The page asked for; 1 for what is no number."""
    text = query.one("page")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1


numbers.offer()
routes = [
    Route("/archive", front),
    Route("/archive/{day}", one_day),
    Route("/papers/{number:number}", one_paper),
]

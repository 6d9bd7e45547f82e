"""The front page: what today's mail would hold, and the form to get it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from markupsafe import Markup
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from digest.domain.interests import Interest, InterestKind
from digest.errors import BadToken, InvalidInput, TooMany
from digest.services import archive, invite, signup
from digest.services.on_demand import OnDemand
from digest.services.shown import Shown
from digest.services.signup import SignUp, VisitLimits
from digest.settings.web import Registration
from digest.store.database import reading
from digest.web import joinform, zones
from digest.web.desk import Desk, desk_of
from digest.web.forms import form_of, network_of, query_of
from digest.web.joinform import Mistakes, Typed
from digest.web.pages import Pages

TRENDING = 10
BESIDE = 5  # where a preview is shown: no page is to be heavy
MOST_SHOWN = 10
RELATED = 4  # two rows: the papers below them should be in sight
EDITIONS = 5
_ASKED_ABOUT = 3  # of the keywords, how many give related ones


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """Whether the form is shown, and by which invitation; `stale`: one came that is not good."""

    open: bool = True
    invitation_id: int | None = None
    stale: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What keywords bring today: papers and related keywords, or what is wrong with them."""

    shown: Shown
    related: Sequence[str] = ()
    interests: str = ""
    wrong: str = ""


def home(request: Request) -> Response:
    """GET /: the form, with `interests` from the address filled in."""
    desk = desk_of(request)
    fields = joinform.typed(query_of(request), desk.new_preferences)
    found = preview_of(desk, fields.interests) if fields.interests else None
    return _page(desk, fields, found=found)


def preview(request: Request) -> Response:
    """GET or POST /preview: the same page with today's papers, `fragment=1` these alone. Nothing is
    changed; a form is posted so that an address in it never stands in the browser's history.
    """
    desk = desk_of(request)
    query = form_of(request) if request.method == "POST" else query_of(request)
    fields = joinform.typed(query, desk.new_preferences)
    found = preview_of(desk, fields.interests)
    status = 422 if found.wrong else 200
    if query.has("fragment"):
        return desk.pages.response("_preview.html", status, preview=found, ready=desk.window.ready)
    return _page(desk, fields, status, found=found)


def subscribe(request: Request) -> Response:
    """POST /subscribe: take the form in; the answer is the same for every address."""
    desk = desk_of(request)
    fields = joinform.typed(form_of(request), desk.new_preferences)
    door = _door(desk, fields.invitation)
    if not door.open:
        return _page(desk, fields, 403, door=door)
    web = desk.settings.web
    joiner = joinform.read(fields, desk.new_preferences, domains_of(desk))
    if isinstance(joiner, Mistakes):
        return _page(desk, fields, 422, errors=joiner.fields, door=door)
    sign_up = SignUp(
        email=joiner.email,
        interests=joiner.interests,
        preferences=joiner.preferences,
        consent=web.consent,
        network=network_of(request),
        invitation_id=door.invitation_id,
    )
    limits = VisitLimits(per_network_per_hour=web.per_network_per_hour, per_hour=web.per_hour)
    try:
        signup.receive(desk.engine, sign_up, limits=limits, now=desk.clock())
    except TooMany as exc:
        return too_many(desk, exc)
    desk.wake()
    return desk.pages.response("subscribed.html")


def too_many(desk: Desk, exc: TooMany) -> HTMLResponse:
    """A page for who came too often: 429, with when to come again (RFC 6585 §4)."""
    minutes = max(1, math.ceil(exc.retry_after_s / 60))
    wait = "a minute" if minutes == 1 else f"{minutes} minutes"
    reply = desk.pages.message(
        "A little later, please",
        f"Many forms came from your network just now. Nothing was lost: go back, and send yours "
        f"again in {wait}.",
        429,
        links=[("/", "To the front page")],
    )
    reply.headers["retry-after"] = str(exc.retry_after_s)
    return reply


def preview_of(desk: Desk, text: str) -> Preview:
    """Today's papers for keywords as typed; without any, what trends."""
    try:
        interests = signup.parse_interests(text)
    except InvalidInput as exc:
        return Preview(shown=Shown(), interests=text, wrong=joinform.about(exc))
    most = min(desk.new_preferences.max_papers, MOST_SHOWN)
    shown = desk.window.preview(interests, max_papers=most)
    return Preview(shown=shown, related=_related(desk, interests), interests=text)


def _related(desk: Desk, interests: Sequence[Interest]) -> list[str]:
    """Keywords that go along with the ones typed last, none of which is among these."""
    kinds = (InterestKind.PHRASE, InterestKind.EXACT)
    wanted = [one for one in interests if one.kind in kinds and not one.excluded]
    known = {one.key for one in interests}
    found = [
        phrase
        for one in wanted[: -_ASKED_ABOUT - 1 : -1]
        for phrase in desk.window.related(one.text, RELATED)
        if phrase.casefold() not in known
    ]
    return list(dict.fromkeys(found))[:RELATED]


def domains_of(desk: Desk) -> Sequence[str]:
    """The mail domains whose addresses may join; none where any may."""
    is_bound = desk.settings.registration is Registration.DOMAINS
    return desk.settings.web.registration_domains if is_bound else ()


def _door(desk: Desk, token: str) -> Door:
    """Whether whoever brings this invitation, which may be none, may fill in the form."""
    if desk.settings.registration is not Registration.INVITE:
        return Door()
    if not token:
        return Door(open=False)
    now = desk.clock()
    try:
        number = invite.invitation_of(token, desk.tokens, now)
    except BadToken:
        return Door(open=False, stale=True)
    with reading(desk.engine) as session:
        is_good = invite.usable(session, number, now)
    return Door(open=is_good, invitation_id=number, stale=not is_good)


def _page(
    desk: Desk,
    fields: Typed,
    status: int = 200,
    *,
    found: Preview | None = None,
    errors: Mapping[str, str] | None = None,
    door: Door | None = None,
) -> HTMLResponse:
    wrong = dict(errors or {})
    if found and found.wrong:
        wrong["interests"] = found.wrong
    return desk.pages.response(
        "home.html",
        status,
        typed=fields,
        errors=wrong,
        sent=errors is not None,
        door=door or _door(desk, fields.invitation),
        preview=found,
        ready=desk.window.ready,
        trending=_trending(desk.pages, desk.window, desk.window.at, BESIDE if found else TRENDING),
        editions=_editions(desk.engine, desk.clock().date(), desk.window.at),
        zones=zones.options(fields.timezone),
        frequencies=joinform.FREQUENCIES,
        hours=joinform.HOURS,
        domains=domains_of(desk),
        consent=desk.settings.web.consent,
    )


@lru_cache(maxsize=8)  # the same for everybody until other papers are shown
def _trending(pages: Pages, window: OnDemand, _at: datetime | None, most: int) -> Markup:
    """The cards of what trends now, empty where there are no papers."""
    found = window.trending(most).papers
    if not found:
        return Markup()
    # a template's output, in which all that came from outside is escaped
    return Markup(pages.html("_trending.html", trending=found))  # noqa: S704  # nosec B704


@lru_cache(maxsize=8)  # the days change with the papers shown, and asking takes 7 ms
def _editions(engine: Engine, today: date, _at: datetime | None) -> tuple[date, ...]:
    """The latest days before today that have papers, within two months; as of the papers shown."""
    months = archive.calendar(engine, today, 2)
    days = sorted({day for month in months for day in month.days if day < today}, reverse=True)
    return tuple(days[:EDITIONS])


routes = [
    Route("/", home),
    Route("/preview", preview, methods=["GET", "POST"]),
    Route("/subscribe", subscribe, methods=["POST"]),
]

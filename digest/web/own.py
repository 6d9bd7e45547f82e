"""One's own digests in the browser: the list of them, and each as it was mailed."""

from datetime import UTC, date, datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from digest.domain.subscribers import Status
from digest.errors import NotFound, StoreError
from digest.mail.excerpts import plain
from digest.mail.tokens import Purpose
from digest.mail.views import day_words
from digest.services import selfcare
from digest.web.holders import Holder, held

# The mail brings its own styles, and nothing else: no script, no picture, no form, no frame.
CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)

# a feed never expires, and its address should be the same whenever it is looked up
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@held(Purpose.READING)
def digests(request: Request, holder: Holder) -> Response:
    """The list, latest first, with the addresses of the private feeds."""
    desk = holder.desk
    found = selfcare.own_digests(desk.engine, holder.person)
    return desk.pages.response(
        "digests.html",
        base=f"/digests/{holder.token}",
        days=[
            (one.day.isoformat(), day_words(one.day, year=True), [*map(plain, one.titles)], one)
            for one in found
        ],
        feed=f"/feeds/{desk.tokens.sign(Purpose.FEED, str(holder.person.id), _ALWAYS)}",
        active=holder.person.status is Status.ACTIVE,
    )


@held(Purpose.READING)
def digest_of_day(request: Request, holder: Holder) -> Response:
    """One digest in the very words of the mail, or in its text where that was all."""
    desk = holder.desk
    if desk.mailroom is None:
        raise StoreError("no mail can be shown: no sender is set")
    try:
        day = date.fromisoformat(request.path_params["day"])
        mail = selfcare.as_mailed(desk.engine, desk.mailroom, holder.person, day)
    except (ValueError, NotFound):
        return _none(holder)
    if mail.html is None:
        return desk.pages.response(
            "digest_text.html",
            title=plain(mail.subject),
            text=mail.text,
            base=f"/digests/{holder.token}",
        )
    return HTMLResponse(mail.html, headers={"content-security-policy": CSP})


def _none(holder: Holder) -> Response:
    text = "No digest was mailed to you on that day, or its papers are not kept any more."
    ways = [(f"/digests/{holder.token}", "All my digests"), ("/", "To the front page")]
    return holder.desk.pages.message("No digest of that day", text, 404, links=ways)


routes = [
    Route("/digests/{token}", digests),
    Route("/digests/{token}/{day}", digest_of_day),
]

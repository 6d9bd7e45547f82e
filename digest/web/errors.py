"""What goes wrong, as a page that says what happened and offers the way on."""

from collections.abc import Callable, Mapping

import structlog
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.errors import (
    BadToken,
    ConfigError,
    ExpiredToken,
    InvalidInput,
    NotFound,
    Refused,
    StoreError,
)
from digest.web.desk import Desk, desk_of

log = structlog.get_logger("digest.web")

_HOME = ("/", "To the front page")
_NEW_LINK = ("/access", "Send me a new link")
_RETRY_S = "30"

_TITLES = {
    403: "Not allowed",
    404: "There is no such page",
    405: "This cannot be done here",
    413: "Too much at once",
}


def bad_token(request: Request, exc: Exception) -> Response:
    """A link that was changed, cut short, or made for something else: 400."""
    text = (
        "This link does not work: perhaps a part of it was lost on the way. Open it from the "
        "newest mail, or let us send you a new one."
    )
    return _page(request, 400, "This link does not work", text, _NEW_LINK, _HOME)


def expired_token(request: Request, exc: Exception) -> Response:
    """A link that was right once: 410."""
    text = "Links in mails work for a limited time, so that an old mail opens nothing for others."
    return _page(request, 410, "This link is too old", text, _NEW_LINK, _HOME)


def invalid(request: Request, exc: Exception) -> Response:
    """A form that no page of ours sends: 422."""
    return _page(request, 422, "That did not work", f"{_sentence(exc)}", _HOME)


def not_found(request: Request, exc: Exception) -> Response:
    """Something that is not there, or is not there any more: 404."""
    text = "What you look for is not here, or not here any more."
    return _page(request, 404, _TITLES[404], text, _HOME)


def refused(request: Request, exc: Exception) -> Response:
    """Something that cannot be done now: 409."""
    text = "This cannot be done as things stand. A new link shows you what can."
    return _page(request, 409, "That did not work", text, _NEW_LINK, _HOME)


def unavailable(request: Request, exc: Exception) -> Response:
    """The store does not answer: 503, and nothing was done."""
    log.error("store", error=f"{type(exc).__name__}: {str(exc).splitlines()[0][:200]}")
    text = "Nothing was changed. Please try again in a minute."
    reply = _page(request, 503, "We cannot do this right now", text, _HOME)
    reply.headers["retry-after"] = _RETRY_S
    return reply


def too_much(desk: Desk) -> Response:
    """A form above the limit of all: 413."""
    text = (
        "What was sent is longer than any form here may be, so nothing was changed. Go back, leave "
        "out a few keywords, and send it again."
    )
    return desk.pages.message(_TITLES[413], text, 413, links=(_HOME,))


def http_error(request: Request, exc: Exception) -> Response:
    """What the routes refuse: an unknown address, a method that it does not have."""
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    headers = exc.headers if isinstance(exc, HTTPException) else None
    if status == 404:
        return not_found(request, exc)
    reply = _page(request, status, _TITLES.get(status, "That did not work"), "", _HOME)
    reply.headers.update(headers or {})
    return reply


def broken(request: Request, exc: Exception) -> Response:
    """A defect of ours: 500; the log has the trace."""
    log.error("defect", exc_info=exc)
    text = "This is our mistake, and it was noted. Nothing of yours is lost."
    return _page(request, 500, "Something went wrong", text, _HOME)


def _page(
    request: Request, status: int, title: str, text: str, *links: tuple[str, str]
) -> Response:
    return desk_of(request).pages.message(title, text, status, links=links)


def _sentence(exc: Exception) -> str:
    words = str(exc)
    return words[:1].upper() + words[1:].rstrip(".") + "."


Handler = Callable[[Request, Exception], Response]

HANDLERS: Mapping[int | type[Exception], Handler] = {
    BadToken: bad_token,
    ExpiredToken: expired_token,
    InvalidInput: invalid,
    NotFound: not_found,
    Refused: refused,
    ConfigError: unavailable,
    StoreError: unavailable,
    DBAPIError: unavailable,
    HTTPException: http_error,
    Exception: broken,
}

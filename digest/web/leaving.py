"""Leaving: by the button of a page, or by one click in a mail program (RFC 8058); and back."""

from contextlib import suppress
from datetime import timedelta
from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from digest.domain.subscribers import Status
from digest.errors import InvalidInput, NotFound, Refused
from digest.mail.tokens import Purpose
from digest.services import selfcare, subscribe
from digest.web.desk import desk_of
from digest.web.forms import body_of, form_of
from digest.web.holders import CHANNEL, Holder, gone, held, id_of, moved_since

UNDO_LASTS = timedelta(days=1)
LONGEST_REASON = 150  # with the one chosen it is below what is kept (subscribe.REASON_MOST)
REASONS = (
    "Too many mails",
    "The papers did not fit my interests",
    "I no longer need it",
    "I did not sign up",
)

_LEFT = (Status.UNSUBSCRIBED, Status.SUPPRESSED)
_DONE = "You are unsubscribed: nothing more is sent to this address.\n"
_GOES_ON = "Your digest goes on as before, with the same interests."
_AS_BEFORE = "All is as it was before: your settings show how things stand."
_THEIRS = "your address"
_ONE_CLICK = b"one-click"


def unsubscribe(request: Request) -> Response:
    """A GET shows a button and changes nothing; a POST, from wherever it comes, is the wish."""
    return _one_click(request) if _is_one_click(request) else unsubscribe_page(request)


def _one_click(request: Request) -> Response:
    """The answer to a mail program: no page, no redirect, the same however often it asks."""
    desk = desk_of(request)
    number = id_of(
        desk.tokens.read(Purpose.UNSUBSCRIBE, request.path_params["token"], desk.clock())
    )
    step = partial(subscribe.unsubscribe, subscriber_id=number, channel=CHANNEL, now=desk.clock())
    with suppress(NotFound):  # erased: nothing is sent there, which is what was asked for
        selfcare.changed(desk.engine, step)
    return PlainTextResponse(_DONE)


@held(Purpose.UNSUBSCRIBE, None)
def unsubscribe_page(request: Request, holder: Holder) -> Response:
    """The page with the button, and what follows on it."""
    if request.method != "POST":
        return _left(holder) if holder.person.status in _LEFT else _asked(holder)
    step = partial(
        subscribe.unsubscribe,
        subscriber_id=holder.person.id,
        channel=CHANNEL,
        now=holder.now,
    )
    try:
        selfcare.changed(holder.desk.engine, step)
    except NotFound:  # erased at this moment
        return gone(holder.desk)
    return _left(holder)


@held(Purpose.UNSUBSCRIBE, None)
def unsubscribe_reason(request: Request, holder: Holder) -> Response:
    """Why somebody left, if they like to say so."""
    if holder.person.status is not Status.UNSUBSCRIBED:
        return _left(holder) if holder.person.status in _LEFT else _asked(holder)
    form = form_of(request)
    said = form.one("reason")
    words = form.one("words")
    try:
        reason = _reason(said, words)
    except InvalidInput as exc:
        return _left(holder, status=422, said=said, words=words, error=str(exc))
    if not reason:
        return _left(holder)
    desk = holder.desk
    step = partial(
        subscribe.leave_reason, subscriber_id=holder.person.id, reason=reason, now=holder.now
    )
    selfcare.done(desk.engine, step)
    return _left(holder, thanked=True)


@held(Purpose.UNDO, UNDO_LASTS)
def undo(request: Request, holder: Holder) -> Response:
    """Take the opt-out back: a page with a button, for who comes by the address alone."""
    desk = holder.desk
    if _is_of_earlier_opt_out(holder):
        return _too_late(holder)
    if request.method != "POST":
        return desk.pages.response("undo.html", token=holder.token)
    step = partial(subscribe.undo, subscriber_id=holder.person.id, channel=CHANNEL, now=holder.now)
    try:
        person = selfcare.changed(desk.engine, step)
    except NotFound:
        return gone(desk)
    except Refused:
        return _too_late(holder)
    settings = desk.tokens.sign(Purpose.PREFERENCES, str(holder.person.id), holder.now)
    return desk.pages.message(
        "Welcome back",
        _GOES_ON if person.status is Status.ACTIVE else _AS_BEFORE,
        links=[(f"/preferences/{settings}", "Change my settings"), ("/", "To the front page")],
    )


def _is_of_earlier_opt_out(holder: Holder) -> bool:
    """Whether they took an opt-out back and opted out again since the link was made for that one;
    a link is dated by its opt-out.
    """
    if holder.person.status is not Status.UNSUBSCRIBED:
        return False
    left_at = selfcare.left_at(holder.desk.engine, holder.person.id)
    return left_at is not None and holder.signed_at < left_at.replace(microsecond=0)


def _too_late(holder: Holder) -> Response:
    ways = [("/#join", "Subscribe again"), ("/", "To the front page")]
    text = "This opt-out cannot be taken back any more. You are welcome to subscribe again."
    return holder.desk.pages.message("It is too late for that", text, 409, links=ways)


def _asked(holder: Holder) -> Response:
    """The page with the button."""
    return holder.desk.pages.response("unsubscribe.html", token=holder.token, email=_named(holder))


def _named(holder: Holder) -> str:
    """Their address, or words for it in a mailbox that they have left."""
    return _THEIRS if moved_since(holder) else holder.person.email


def _left(
    holder: Holder,
    *,
    status: int = 200,
    thanked: bool = False,
    said: str = "",
    words: str = "",
    error: str = "",
) -> Response:
    """The page of somebody who gets no mail; the opt-out can be taken back for a day after it."""
    desk, number = holder.desk, holder.person.id
    person = selfcare.one(desk.engine, number)
    left_at = selfcare.left_at(desk.engine, number)
    fresh = left_at is not None and holder.now - left_at < UNDO_LASTS
    back = person.status is Status.UNSUBSCRIBED and left_at is not None and fresh
    return desk.pages.response(
        "unsubscribed.html",
        status,
        token=holder.token,
        email=_named(holder),
        undo=desk.tokens.sign(Purpose.UNDO, str(number), left_at) if back and left_at else "",
        suppressed=person.status is Status.SUPPRESSED,
        reasons=REASONS,
        thanked=thanked,
        said=said,
        words=words,
        error=error,
        most=LONGEST_REASON,
    )


def _reason(said: str, words: str) -> str:
    """The reason as it is kept; empty where none was given. Raises InvalidInput."""
    if said and said not in REASONS:
        raise InvalidInput("Choose one of these, or say it in your own words.")
    if len(words) > LONGEST_REASON:
        raise InvalidInput(f"These are {len(words)} characters: at most {LONGEST_REASON}, please.")
    return ": ".join(part for part in (said, " ".join(words.split())) if part)


def _is_one_click(request: Request) -> bool:
    """Whether a mail program asks (RFC 8058 §3.2: `List-Unsubscribe=One-Click`, urlencoded or
    multipart). Our own button sends `page`; what sends neither gets the short answer too.
    """
    if request.method != "POST":
        return False
    body = body_of(request)
    kind = request.headers.get("content-type", "").lower()
    is_other = bool(body) and "urlencoded" not in kind and bool(kind)
    return is_other or _ONE_CLICK in body.lower() or not form_of(request).has("page")


routes = [
    Route("/unsubscribe/{token}", unsubscribe, methods=["GET", "POST"]),
    Route("/unsubscribe/{token}/reason", unsubscribe_reason, methods=["POST"]),
    Route("/undo/{token}", undo, methods=["GET", "POST"]),
]

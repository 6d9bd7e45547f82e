"""Who a link speaks for: its token read, and the subscriber behind it found."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from digest.domain.subscribers import Channel, Subscriber, SubscriberId
from digest.errors import BadToken, ExpiredToken, NotFound
from digest.mail.tokens import Purpose
from digest.services import selfcare
from digest.web.desk import Desk, desk_of

LASTS = timedelta(days=180)  # settings, reading, feedback: as long as somebody may keep a mail
CHANNEL = Channel.LINK
# what shows or changes who somebody is; to opt out must always work, and a vote tells nothing
_OF_AN_ADDRESS = (Purpose.PREFERENCES, Purpose.READING)

_GONE = (
    "Everything about this address was deleted, so this link leads to nothing. Nothing is sent to "
    "it any more."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """The subscriber whose link was opened, with the desk to work at; `token` is the link's own, of
    `signed_at` to the second.
    """

    desk: Desk
    now: datetime
    token: str
    signed_at: datetime
    person: Subscriber


Endpoint = Callable[[Request], Response]
Step = Callable[[Request, Holder], Response]


def held(purpose: Purpose, lasts: timedelta | None = LASTS) -> Callable[[Step], Endpoint]:
    """Make an endpoint of a step that needs the subscriber whose id the link's token bears.

    Such an endpoint raises BadToken and ExpiredToken; who was erased gets a page that says so.
    """

    def made(step: Step) -> Endpoint:
        @wraps(step)
        def endpoint(request: Request) -> Response:
            desk = desk_of(request)
            token: str = request.path_params["token"]
            now = desk.clock()
            payload, signed_at = desk.tokens.read_dated(purpose, token, now, lasts)
            number = id_of(payload)
            try:
                person = selfcare.one(desk.engine, number)
            except NotFound:
                return gone(desk)
            holder = Holder(desk=desk, now=now, token=token, signed_at=signed_at, person=person)
            if purpose in _OF_AN_ADDRESS and moved_since(holder):
                raise ExpiredToken("this link was sent to an earlier address: ask for a new one")
            return step(request, holder)

        return endpoint

    return made


def moved_since(holder: Holder) -> bool:
    """Whether the link was made for an address that they have left since: whoever reads that
    mailbox now is to learn nothing of the new one.
    """
    moved_at = selfcare.moved_at(holder.desk.engine, holder.person.id)
    return moved_at is not None and holder.signed_at < moved_at.replace(microsecond=0)


def id_of(payload: str) -> SubscriberId:
    """The subscriber that a token's payload names. Raises BadToken."""
    if not payload.isdecimal():
        raise BadToken("this link is not valid: open the newest mail and try again")
    return SubscriberId(int(payload))


def gone(desk: Desk) -> Response:
    """The page for a link of somebody who was erased: 410."""
    return desk.pages.message(
        "Nothing is here any more", _GONE, 410, links=[("/", "To the front page")]
    )

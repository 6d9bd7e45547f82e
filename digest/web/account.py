"""Another address, a copy of all data, and the end of all data: from somebody's settings page."""

from datetime import timedelta
from functools import partial

from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.domain.subscribers import Status, address
from digest.errors import InvalidInput, NotFound, Refused, TooMany
from digest.mail.tokens import Purpose
from digest.services import address_change, selfcare, subscribe
from digest.services.mailroom import CHANGE_DAYS
from digest.services.signup import VisitLimits
from digest.store import visits
from digest.web.desk import Desk, desk_of
from digest.web.forms import form_of, network_of
from digest.web.holders import Holder, gone, held, id_of
from digest.web.home import domains_of, too_many
from digest.web.joinform import may_join
from digest.web.preferences import View, page

MOST_ASKED = 5  # new addresses within an hour, by one subscriber
NO_ADDRESS = "This is not one mail address. Write it as in ada@example.org."
_ASKED = (
    "If we can write to that address, a mail is on its way to it. Nothing changes until the button "
    "in it is pressed."
)
_MOVE_OVER = (
    "This change of address is over: it was made already, replaced by a later one, or the address "
    "cannot be used. Your settings page shows how things stand."
)


@held(Purpose.PREFERENCES)
def preferences_address(request: Request, holder: Holder) -> Response:
    """Ask for another address; the answer is the same whatever is known of that one."""
    typed = form_of(request).one("email")
    try:
        wanted = address(typed)
    except InvalidInput:
        wrong = {"email": NO_ADDRESS}
        return page(holder, View(status=422, bad=True, typed={"email": typed}, errors=wrong))
    desk = holder.desk
    if not may_join(wanted, domains := domains_of(desk)):
        wrong = {"email": f"Only addresses of these domains can be had here: {', '.join(domains)}."}
        return page(holder, View(status=422, bad=True, typed={"email": typed}, errors=wrong))
    step = partial(_ask, holder=holder, email=wanted, network=network_of(request))
    try:
        selfcare.done(desk.engine, step)
    except TooMany as exc:
        return too_many(desk, exc)
    return page(holder, View(notice=_ASKED))


def _ask(session: Session, holder: Holder, email: str, network: str) -> None:
    """Count it as a form, since it writes to a stranger, and once more for the one who asks."""
    desk, web = holder.desk, holder.desk.settings.web
    if holder.person.status not in (Status.ACTIVE, Status.PAUSED):
        return  # nobody is written to
    limits = VisitLimits(per_network_per_hour=web.per_network_per_hour, per_hour=web.per_hour)
    visits.visit(session, network, limits, holder.now)
    theirs = VisitLimits(per_network_per_hour=MOST_ASKED)
    visits.visit(session, f"subscriber {holder.person.id}", theirs, holder.now)
    address_change.ask(session, holder.person.id, email, now=holder.now, keys=desk.keys)


@held(Purpose.PREFERENCES)
def preferences_export(request: Request, holder: Holder) -> Response:
    """All data held, as a file."""
    desk = holder.desk
    text = selfcare.held_data(desk.engine, holder.person.id, desk.keys, holder.now)
    as_file = {"content-disposition": 'attachment; filename="my-data.json"'}
    return Response(text, media_type="application/json", headers=as_file)


@held(Purpose.PREFERENCES)
def preferences_erase(request: Request, holder: Holder) -> Response:
    """A page with a button; pressed, everything is deleted."""
    desk = holder.desk
    if request.method != "POST":
        base = f"/preferences/{holder.token}"
        return desk.pages.response("erase.html", base=base, email=holder.person.email)
    step = partial(subscribe.erase, subscriber_id=holder.person.id, now=holder.now, keys=desk.keys)
    try:
        selfcare.done(desk.engine, step)
    except NotFound:  # pressed twice at the same moment
        return gone(desk)
    return desk.pages.response("erased.html")


def change_address(request: Request) -> Response:
    """From the mail to the new address: a page with a button; pressed, it takes the place of the
    old one. It shows neither address: the mail may have come to a stranger.
    """
    desk = desk_of(request)
    token: str = request.path_params["token"]
    lasts = timedelta(days=CHANGE_DAYS)
    payload = desk.tokens.read(Purpose.CHANGE_ADDRESS, token, desk.clock(), lasts)
    number, _, mark = payload.partition(":")
    if request.method != "POST":
        return desk.pages.response("change_address.html", token=token)
    return _moved(desk, number, mark)


def _moved(desk: Desk, number: str, mark: str) -> Response:
    step = partial(
        address_change.confirm,
        subscriber_id=id_of(number),
        token=mark,
        now=desk.clock(),
        keys=desk.keys,
    )
    try:
        selfcare.changed(desk.engine, step)
    except NotFound:
        return gone(desk)
    except Refused:
        ways = [("/access", "Send me a link to my settings"), ("/", "To the front page")]
        return desk.pages.message("This link is used up", _MOVE_OVER, 409, links=ways)
    said = "From now on the digest comes to this address."
    return desk.pages.message("Your new address is set", said, links=[("/", "To the front page")])


routes = [
    Route("/preferences/{token}/address", preferences_address, methods=["POST"]),
    Route("/preferences/{token}/export", preferences_export),
    Route("/preferences/{token}/erase", preferences_erase, methods=["GET", "POST"]),
    Route("/change-address/{token}", change_address, methods=["GET", "POST"]),
]

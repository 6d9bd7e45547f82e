"""Who lost their link types their address, and gets a new one by mail, if they are known."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.domain.subscribers import address
from digest.errors import InvalidInput, TooMany
from digest.services import signup
from digest.web.account import NO_ADDRESS
from digest.web.desk import desk_of
from digest.web.forms import form_of, network_of
from digest.web.home import too_many


def access(request: Request) -> Response:
    """A form, and after it one answer, whoever asked: it tells nothing of who is known here."""
    desk = desk_of(request)
    if request.method != "POST":
        return desk.pages.response("access.html", typed="", error="")
    typed = form_of(request).one("email")
    try:
        email = address(typed)
    except InvalidInput:
        return desk.pages.response("access.html", 422, typed=typed, error=NO_ADDRESS)
    web = desk.settings.web
    limits = signup.VisitLimits(
        per_network_per_hour=web.per_network_per_hour, per_hour=web.per_hour
    )
    try:
        signup.ask_access(
            desk.engine, email, network=network_of(request), limits=limits, now=desk.clock()
        )
    except TooMany as exc:
        return too_many(desk, exc)
    desk.wake()
    return desk.pages.response("access_asked.html")


routes = [Route("/access", access, methods=["GET", "POST"])]

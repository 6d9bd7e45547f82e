"""What a provider hears: 200 once all is committed, 401 or 403 without proof, 404 until set up."""

from collections.abc import Mapping

import structlog
from starlette.responses import PlainTextResponse, Response

from digest.domain.reports import Reading
from digest.services.reports import take
from digest.web.desk import Desk

log = structlog.get_logger("digest.web")


class Unproved(Exception):
    """The request does not prove that it is the provider's; the text is for the log alone."""


def handled(desk: Desk, provider: str, reading: Reading) -> Response:
    """200 after what follows is committed. Lets StoreError through, which becomes 503.

    500 where we failed an event: it comes again then, and the others of its batch do nothing.
    """
    taken = take(desk.engine, reading, means=desk.means, clock=desk.clock, provider=provider)
    if taken.failed:
        return PlainTextResponse(f"{taken.failed} events failed: please send them again.\n", 500)
    return done()


def done() -> Response:
    """Taken, or nothing to do."""
    return PlainTextResponse("OK\n")


def not_set_up(provider: str) -> Response:
    """Nothing in the settings proves this provider."""
    return PlainTextResponse(f"Reports of {provider} are not set up here.\n", 404)


def unproved(
    provider: str, why: object, status: int = 403, headers: Mapping[str, str] | None = None
) -> Response:
    """Nothing was done; the reason stands in the log, not in the reply."""
    log.warning("report refused", provider=provider, why=str(why)[:200])
    return PlainTextResponse("This report is not proved to be the provider's.\n", status, headers)


def unreadable(provider: str, why: object) -> Response:
    """What came is no report; nothing was done."""
    log.warning("report unreadable", provider=provider, why=str(why)[:200])
    return PlainTextResponse("This is no report in the provider's form.\n", 400)


def later(provider: str, why: object) -> Response:
    """It could not be proved now, but may be later."""
    log.error("report put off", provider=provider, why=str(why)[:200])
    return PlainTextResponse("Please try again later.\n", 503, {"retry-after": "60"})

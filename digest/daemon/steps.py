"""The steps of the daemon: each asks the store what is due, does it, and logs what came of it.

A step takes the app as it is configured at that moment, and asks `stop` between its parts, which
also is its sign of life (`pulse`).
"""

from collections.abc import Callable
from datetime import timedelta

import structlog

from digest.app import App
from digest.services import runs
from digest.services.pauses import resume_due
from digest.services.roster import without_erased
from digest.services.signup import take_in

log = structlog.get_logger("digest.daemon")

# what the ranker learnt of the store takes hundreds of megabytes; readers are due by the hour
RANKING_LASTS = timedelta(minutes=10)

Stop = Callable[[], bool]
Step = Callable[[App, Stop], None]


def intake(app: App, _stop: Stop) -> None:
    """Take in sign-ups, and end pauses that are over."""
    resumed = resume_due(app.engine, app.clock())
    taken = take_in(app.engine, app.keys, app.clock()).taken
    if resumed or taken:
        log.info("taken in", sign_ups=taken, resumed=resumed)


def collecting(app: App, stop: Stop) -> None:
    """Ask the sources that are due, unless another host does."""
    for done in app.collect(stop=stop):
        runs.fetched(done)
        level = log.warning if done.went_wrong else log.info
        level(
            "collected",
            source=done.source,
            outcome=done.outcome.value,
            note=done.note,
            listed=done.listed,
            new=done.new,
            rejected=len(done.rejected),
        )


def composing(app: App, stop: Stop) -> None:
    """Write the digests of who is due into the ledger."""
    if not app.anyone_due():
        app.forget_ranking_after(RANKING_LASTS)
        return
    summary = app.compose(stop=stop)
    runs.composed(summary)
    if summary.due:
        log.info("composed", **summary.as_fields())
    for email, error in without_erased(app.engine, summary.failed, app.keys):
        log.error("not composed", email=email, error=error)


def delivering(app: App, stop: Stop) -> None:
    """Send what the ledger holds."""
    summary = app.deliver(stop=stop)
    runs.delivered(summary)
    if summary.anything:
        log.info("delivered", **summary.as_fields())
    for email, problem in without_erased(app.engine, summary.problems, app.keys):
        log.warning("not delivered", email=email, problem=problem)


def returning(app: App, stop: Stop) -> None:
    """Read what came back by mail, and do what follows."""
    if not app.watches_mailbox:
        return
    summary = app.read_mailbox(stop)
    if summary.read:
        log.info("returned", **{k.replace(" ", "_"): n for k, n in summary.counts.items()})
    for name, problem in summary.problems:
        log.warning("returned mail not read", mail=name, problem=problem)

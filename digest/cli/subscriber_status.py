"""`digest subscribers confirm, pause, resume, remove, erase`: the steps that change a status."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from digest.cli.context import Now, open_app, parse_day
from digest.cli.output import DryRun, say
from digest.cli.subscriber_options import Email
from digest.domain.subscribers import Channel, Subscriber, SubscriberId

if TYPE_CHECKING:
    from sqlmodel import Session

    from digest.app import App


class _Step(Protocol):
    def __call__(
        self,
        session: "Session",
        subscriber_id: SubscriberId,
        *,
        channel: Channel,
        now: datetime,
    ) -> Subscriber: ...


def confirm(email: Email, dry_run: DryRun = False, now: Now = None) -> None:
    """Confirm for a subscriber who asked for it.

    Example: digest subscribers confirm ada@example.com
    """
    from functools import partial

    from digest.services import subscribe

    app = open_app(now, dry_run=dry_run)
    _take(app, email, dry_run, partial(subscribe.confirm, keys=app.keys))


def pause(
    email: Email,
    until: Annotated[
        date | None,
        typer.Option(
            "--until",
            parser=parse_day,
            metavar="DATE",
            help="Go on with this date, where they live; without it, with 'resume'.",
        ),
    ] = None,
    dry_run: DryRun = False,
    now: Now = None,
) -> None:
    """Stop the digests for a while.

    Example: digest subscribers pause ada@example.com --until 2026-03-20
    """
    from functools import partial

    from digest.services import subscribe

    step = partial(subscribe.pause, until=until)
    _take(open_app(now, dry_run=dry_run), email, dry_run, step)


def resume(email: Email, dry_run: DryRun = False, now: Now = None) -> None:
    """Go on after a pause.

    Example: digest subscribers resume ada@example.com
    """
    from digest.services import subscribe

    _take(open_app(now, dry_run=dry_run), email, dry_run, subscribe.resume)


def remove(email: Email, dry_run: DryRun = False, now: Now = None) -> None:
    """Unsubscribe: no mail any more, and no import brings them back.

    Example: digest subscribers remove ada@example.com
    """
    from digest.services import subscribe

    _take(open_app(now, dry_run=dry_run), email, dry_run, subscribe.unsubscribe)


def erase(email: Email, dry_run: DryRun = False, now: Now = None) -> None:
    """Forget a subscriber; only a keyed hash stays, so that no import brings them back.

    An address that only a suppression, a form that waits or a change of address holds is forgotten
    alike.

    Example: digest subscribers erase ada@example.com
    """
    from digest.services.roster import erased

    app = open_app(now, dry_run=dry_run)
    gone = erased(app.engine, email, now=app.clock(), keys=app.keys, dry_run=dry_run)
    say(f"{'would erase' if dry_run else 'erased'} {gone}")


def _take(app: "App", email: str, dry_run: bool, step: _Step) -> None:
    from digest.services.roster import changed

    at = app.clock()
    person = changed(
        app.engine,
        email,
        lambda session, one: step(session, one.id, channel=Channel.CLI, now=at),
        dry_run=dry_run,
    )
    say(f"{person.email} {'would be' if dry_run else 'is'} {person.status.value}")

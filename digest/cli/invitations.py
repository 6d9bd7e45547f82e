"""`digest invitations`: links that let people in where registration is by invitation."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Now, open_app
from digest.cli.output import DryRun, Json, Limit, emit_json, instant, note, say, table

if TYPE_CHECKING:
    from datetime import datetime

    from digest.app import App
    from digest.store.invitations import Invitation

invitations = typer.Typer(
    no_args_is_help=True,
    help="Links that let people in where registration is by invitation.\n\n"
    "Example: digest invitations add --uses 20",
)


@invitations.command("add")
def add(
    text: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="Whom or what it is for; only you see it.")
    ] = "",
    uses: Annotated[
        int, typer.Option("--uses", metavar="N", help="How many may sign up by it.")
    ] = 1,
    days: Annotated[int, typer.Option("--days", metavar="N", help="How long it is good for.")] = 14,
    dry_run: DryRun = False,
    now: Now = None,
) -> None:
    """Make an invitation and print its link, to be passed on by whatever way you like.

    Whoever has the link can use it, so that one for a group needs as many --uses as there are
    people.

    Example: digest invitations add --note "reading group" --uses 20 --days 30
    """
    from digest.services.invite import invite
    from digest.store.database import transaction

    app = open_app(now, dry_run=dry_run)
    with transaction(app.engine) as session:
        made = invite(session, note=text.strip(), uses=uses, days=days, now=app.clock())
        if dry_run:
            session.rollback()
    if dry_run:
        say(f"would invite {_people(made)} until {instant(made.expires_at)}")
        return
    say(_link(app, made))
    note(f"invitation {made.id} is for {_people(made)} until {instant(made.expires_at)}")
    if app.settings.registration != "invite":
        note(
            f"registration is {app.settings.registration.value!r}: nobody needs an invitation "
            "unless you set it to 'invite'"
        )


@invitations.command("list")
def list_(limit: Limit = 50, as_json: Json = False, now: Now = None) -> None:
    """The invitations, the latest first: which are still good, and for how many.

    Example: digest invitations list --json
    """
    from digest.services import invite

    app = open_app(now)
    found = invite.listed(app.engine, limit)
    if as_json:
        emit_json(_object(app, one) for one in found)
        return
    rows = (
        (
            one.id,
            _state(one, app.clock()),
            f"{one.used}/{one.uses}",
            instant(one.expires_at),
            one.note,
        )
        for one in found
    )
    table(("id", "state", "used", "until", "note"), rows, empty="there are no invitations")


@invitations.command("revoke")
def revoke(
    number: Annotated[int, typer.Argument(metavar="ID", help="As 'digest invitations list' says.")],
    dry_run: DryRun = False,
    now: Now = None,
) -> None:
    """End an invitation; who signed up by it stays.

    Example: digest invitations revoke 3
    """
    from digest.services import invite
    from digest.store.database import transaction

    app = open_app(now, dry_run=dry_run)
    with transaction(app.engine) as session:
        invite.revoke(session, number, app.clock())
        if dry_run:
            session.rollback()
    say(f"{'would revoke' if dry_run else 'revoked'} invitation {number}")


def _link(app: "App", one: "Invitation") -> str:
    """Its link, or what follows the address of the pages where that is not set."""
    from digest.mail.links import Site
    from digest.services.invite import token_of

    token = token_of(one, app.tokens)
    return Site(url=app.settings.site.url or None).invitation(token) or f"/?invitation={token}"


def _people(one: "Invitation") -> str:
    return "1 person" if one.uses == 1 else f"{one.uses} people"


def _state(one: "Invitation", now: "datetime") -> str:
    if one.usable(now):
        return "good"
    if one.revoked_at:
        return "revoked"
    return "used up" if one.used >= one.uses else "expired"


def _object(app: "App", one: "Invitation") -> dict[str, Any]:
    return {
        "id": one.id,
        "state": _state(one, app.clock()),
        "note": one.note,
        "uses": one.uses,
        "used": one.used,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
        "link": _link(app, one),
    }

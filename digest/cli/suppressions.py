"""`digest suppressions`: addresses that must never be mailed again."""

from pathlib import Path
from typing import Annotated

import typer

from digest.cli import files
from digest.cli.context import Now, open_app
from digest.cli.output import (
    DryRun,
    Json,
    Limit,
    emit_json,
    instant,
    note,
    progress,
    say,
    table,
)
from digest.domain.subscribers import SuppressionReason
from digest.errors import UsageError

suppressions = typer.Typer(
    no_args_is_help=True,
    help="Addresses that must never be mailed again, and why.\n\n"
    "Example: digest suppressions list --reason complaint",
)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The address.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file; - for stdin or stdout.")]


@suppressions.command("list")
def list_(
    reason: Annotated[
        list[SuppressionReason] | None,
        typer.Option("--reason", help="Only of this reason; repeatable."),
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """The suppressed addresses, the latest first; of erased ones only a keyed hash is left.

    Example: digest suppressions list --reason complaint
    """
    from digest.services import suppress

    found = suppress.listed(open_app().engine, reasons=reason or (), limit=limit)
    if as_json:
        emit_json(
            {
                "email": one.email,
                "address_hash": one.address_hash,
                "reason": one.reason.value,
                "created_at": one.created_at,
            }
            for one in found
        )
        return
    rows = (
        (s.reason.value, instant(s.created_at), s.email or f"(hash {s.address_hash[:12]}…)")
        for s in found
    )
    table(("reason", "since", "email"), rows, empty="no address is suppressed")


@suppressions.command("add")
def add(
    email: Email,
    reason: Annotated[
        SuppressionReason, typer.Option("--reason", help="bounce, complaint or request.")
    ] = SuppressionReason.REQUEST,
    dry_run: DryRun = False,
    now: Now = None,
) -> None:
    """Never mail an address again, subscriber or not; what waits for it is cancelled.

    Example: digest suppressions add ada@example.com --reason complaint
    """
    from digest.services import suppress

    if reason is SuppressionReason.ERASED:
        raise UsageError("reason 'erased' comes with 'digest subscribers erase' alone")
    app = open_app(now, dry_run=dry_run)
    fresh = suppress.add(app.engine, email, reason, now=app.clock(), keys=app.keys, dry_run=dry_run)
    done = ("would suppress" if dry_run else "suppressed") if fresh else "suppressed already:"
    say(f"{done} {email.strip()}")


@suppressions.command("remove")
def remove(
    email: Email,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the person complained or was erased.")
    ] = False,
    dry_run: DryRun = False,
    now: Now = None,
) -> None:
    """Lift a suppression, for an address that works after all.

    A suppressed subscriber is unsubscribed then: only they themselves can sign up again.

    Example: digest suppressions remove ada@example.com
    """
    from digest.services import suppress

    app = open_app(now, dry_run=dry_run)
    lifted = suppress.lift(
        app.engine, email, force=force, now=app.clock(), keys=app.keys, dry_run=dry_run
    )
    reason = f" ({lifted.reason.value})" if lifted.reason else ""
    say(f"{'would lift' if dry_run else 'lifted'} the suppression of {email.strip()}{reason}")
    if lifted.subscriber:
        note("the subscriber counts as unsubscribed: only they themselves can sign up again")


@suppressions.command("import")
def import_(file: File, dry_run: DryRun = False, now: Now = None) -> None:
    """Suppress the addresses of a CSV file: email, reason, created_at, or address_hash.

    The same file twice changes nothing. Hashes mean something only where `pepper` is the same as in
    the store that they come from.

    Example: digest suppressions import never-again.csv --dry-run
    """
    from digest.services.suppress import import_suppressions

    files.require(file)
    app = open_app(now, dry_run=dry_run)
    with files.opened(file) as stream, progress("importing") as step:
        done = import_suppressions(
            app.engine, stream, now=app.clock(), keys=app.keys, dry_run=dry_run, each=step
        )
    files.finish_import(done, dry_run=dry_run)


@suppressions.command("export")
def export(file: File) -> None:
    """Write all suppressions into a CSV file that import reads.

    Who was erased stands there as a keyed hash, which only a store with the same `pepper`
    understands.

    Example: digest suppressions export never-again.csv
    """
    from digest.services import suppress

    app = open_app()
    files.write(file, suppress.export(app.engine))

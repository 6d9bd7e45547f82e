"""`digest prune`: forget what is no longer kept."""

from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import Exit, Now, finish, open_app
from digest.cli.output import DryRun, Json, emit_json, note, say, table

if TYPE_CHECKING:
    from digest.domain.retention import Policy
    from digest.services.prune import Pruned


def prune(
    dry_run: DryRun = False,
    vacuum: Annotated[
        bool,
        typer.Option(
            "--vacuum",
            help="Afterwards write the store's file anew, without holes (SQLite: nobody can write"
            " meanwhile, and it takes as much disk again).",
        ),
    ] = False,
    as_json: Json = False,
    now: Now = None,
) -> None:
    """Forget what is no longer kept: papers, mails, bounces, people who never confirmed.

    For how long what is kept stands in [retention] of the config; the daemon does this once a day.
    Rows go in small transactions beside whatever else is at work. Ends with code 3 when a kind
    could not be pruned.

    Example: digest prune --dry-run
    """
    from digest.store.database import compact

    app = open_app(now, dry_run=dry_run)
    done = app.prune(dry_run=dry_run)
    if vacuum and not dry_run:
        compact(app.engine)
    _tell(done, app.retention, dry_run=dry_run, as_json=as_json)
    for kind, problem in done.problems:
        note(f"{kind}: {problem}")
    finish(Exit.PARTLY if done.problems else Exit.DONE)


def _tell(done: "Pruned", policy: "Policy", *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        emit_json(
            {"kind": kind.value, "rows": rows, "days": policy.days(kind)}
            for kind, rows in done.rows.items()
        )
        return
    rows = ((kind, number, policy.days(kind)) for kind, number in done.rows.items() if number)
    table(("what", "rows", "older than days"), rows, empty="nothing is old enough to go")
    if done.left:
        note(f"{done.left} more papers wait for the next days, lest the ranker's figures jump")
    if dry_run:
        say("dry run, nothing was removed")

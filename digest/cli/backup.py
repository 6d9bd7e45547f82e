"""`digest db backup` and `digest db settle`: a copy of SQLite in use, and after its return."""

from pathlib import Path
from typing import Annotated

import typer

from digest.cli.context import open_app, parse_instant
from digest.cli.output import DryRun, instant, say


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
) -> None:
    """Copy an SQLite store while it is in use, and check the copy.

    For PostgreSQL it says which command does it.

    Example: digest db backup /var/backups/digest-monday.sqlite3
    """
    from digest.services.move.backup import back_up

    done = back_up(open_app().raw_engine, file)
    say(f"wrote {file}: {done.bytes / 1e6:,.1f} MB, schema {done.schema}, integrity checked")


def settle(
    until: Annotated[
        str,
        typer.Option(
            "--until",
            metavar="INSTANT",
            help="Until when the lost store may have sent mails, such as 2026-03-12T15:00Z;"
            " else now.",
        ),
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """After a backup was restored, and before the service starts: send nothing twice.

    Mails that waited are held for you (digest deliveries list --state held), and dates whose
    digest was due are skipped.

    Example: digest db settle --until 2026-03-12T15:00Z --dry-run
    """
    from digest.services.move.settle import settle as settled

    app = open_app(dry_run=dry_run)
    limit = parse_instant(until) if until else app.clock()
    done = settled(app.engine, limit, dry_run=dry_run)
    would = "would hold" if dry_run else "held"
    skip = "would skip" if dry_run else "skipped"
    said = f"{would} {done.held} mails · {skip} the digest of {done.skipped} subscribers"
    say(f"{said} · due until {instant(limit)}")

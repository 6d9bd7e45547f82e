"""`digest db backup`: SQLite's own copy of the store, while the service runs."""

from pathlib import Path
from typing import Annotated

import typer

from digest.cli.context import open_app
from digest.cli.output import say


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

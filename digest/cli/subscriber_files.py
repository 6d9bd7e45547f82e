"""`digest subscribers import, export`: people in and out as CSV or JSONL."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli import files
from digest.cli.context import Now, open_app
from digest.cli.output import DryRun, progress
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.services.rowfiles import Format


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .csv or .jsonl file; - for stdin.")
    ],
    form: Annotated[str, typer.Option("--format", help="csv or jsonl; else by the ending.")] = "",
    dry_run: DryRun = False,
    now: Now = None,
) -> None:
    """Add and change subscribers from a file; the same file twice changes nothing.

    Example: digest subscribers import people.csv --dry-run
    """
    from digest.services.transfer import import_subscribers

    file_format = _format(file, form)
    files.require(file)
    app = open_app(now, dry_run=dry_run)
    with files.opened(file) as stream, progress("importing") as step:
        done = import_subscribers(
            app.engine,
            stream,
            file_format,
            defaults=app.new_preferences,
            now=app.clock(),
            keys=app.keys,
            dry_run=dry_run,
            each=step,
        )
    files.finish_import(done, dry_run=dry_run)


def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .csv or .jsonl file; - for stdout.")
    ],
    form: Annotated[str, typer.Option("--format", help="csv or jsonl; else by the ending.")] = "",
) -> None:
    """Write all subscribers into a file that import reads.

    Example: digest subscribers export people.csv
    """
    from digest.services.roster import exported

    file_format = _format(file, form)
    app = open_app()
    with exported(app.engine, file_format) as lines:
        files.write(file, lines)


def _format(file: Path, form: str) -> "Format":
    from digest.services.rowfiles import Format

    name = form or file.suffix.lstrip(".").lower()
    try:
        return Format(name)
    except ValueError as exc:
        raise UsageError(f"--format {name or '(missing)'}: give csv or jsonl") from exc

"""`digest export` and `digest import`: the whole store as one file, for another host or engine."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

import typer

from digest.cli import files
from digest.cli.context import open_app
from digest.cli.output import DryRun, note, progress, say, table
from digest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.app import App
    from digest.services.move.archive import Manifest, Part

_BLOCK = 1024 * 1024


def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The archive, such as store.zip; - for stdout.")
    ],
) -> None:
    """Write the whole store into one archive that import reads, on either engine.

    It holds every address: keep it safe. For a move, stop all senders first (docs/backup.md).

    Example: digest export store.zip
    """
    from digest.services.move.exports import export_store

    app = open_app()
    with _sink(file) as sink, progress("exporting") as step:
        secrets = _secrets(app)
        manifest = export_store(app.raw_engine, sink, app.clock(), step, secrets=secrets)
    _warn_in_the_air(manifest)
    tell = note if str(file) == "-" else say
    tell(f"wrote {file}: {_sum(manifest.parts)}, schema {manifest.schema}")


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An archive of digest export; - for stdin.")
    ],
    dry_run: DryRun = False,
) -> None:
    """Fill a new, empty store from an archive, and compare every table with it.

    All of it goes in, or nothing. An archive of an older version is brought to this one.

    Example: digest import store.zip --dry-run
    """
    from digest.services.move.imports import import_store

    files.require(file)
    app = open_app(dry_run=dry_run)
    with _source(file) as source, progress("importing") as step:
        done = import_store(app.engine, source, dry_run=dry_run, each=step)
    rows = ((name, part.rows, part.sha256[:16]) for name, part in done.parts.items())
    table(("table", "rows", "sha256"), rows, empty="no tables")
    _warn_in_the_air(done.manifest)
    if done.lacks(_secrets(app)):
        note(
            "warning: the pepper or the secret_keys here are not those of the moved store: carry "
            "them over, or links in mails break and suppressed addresses are not known again"
        )
    how = (
        f"upgraded from schema {done.manifest.schema}" if done.upgraded else "equal to the archive"
    )
    what = "dry run, nothing was written" if dry_run else f"imported into {app.store_name}"
    say(f"{_sum(done.parts)}, {how} · {what}")


def _secrets(app: "App") -> list[str]:
    return [app.pepper, *app.secrets.secret_keys]


def _sum(parts: "Mapping[str, Part]") -> str:
    return f"{len(parts)} tables, {sum(part.rows for part in parts.values()):,} rows"


def _warn_in_the_air(manifest: "Manifest") -> None:
    if manifest.leased:
        note(
            f"warning: {manifest.leased} deliveries were with senders, {manifest.begun} of them "
            "perhaps sent already: for a move, stop all senders and export again"
        )


@contextmanager
def _sink(file: Path) -> Iterator[BinaryIO]:
    from digest.services.move.outputs import beside

    if str(file) == "-":
        if sys.stdout.isatty():
            raise UsageError("an archive is not for a terminal: name a file, or use a pipe")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with beside(file, replace=True) as passing, passing.open("wb") as sink:
        yield sink


@contextmanager
def _source(file: Path) -> Iterator[BinaryIO]:
    """The archive, which is read twice: what comes by stdin is kept in a passing file."""
    if str(file) != "-":
        with file.open("rb") as opened:
            yield opened
        return
    with tempfile.TemporaryFile() as kept:
        while block := sys.stdin.buffer.read(_BLOCK):
            kept.write(block)
        kept.seek(0)
        yield cast(BinaryIO, kept)

"""What commands that import and export have in common: files, or - for stdin and stdout."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from digest.cli.context import Exit, finish
from digest.cli.output import note, say
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.services.rowfiles import ImportSummary


def require(file: Path) -> None:
    """Raise UsageError for a file that is not there."""
    if str(file) != "-" and not file.is_file():
        raise UsageError(f"file {file} does not exist")


def opened(file: Path) -> BinaryIO:
    """The file's bytes, or those of stdin."""
    return sys.stdin.buffer if str(file) == "-" else file.open("rb")


def finish_import(done: "ImportSummary", *, dry_run: bool) -> None:
    """Name the lines that were refused, count what was done, and end the command."""
    for line, reason in done.rejected:
        note(f"line {line}: {reason}")
    counts = f"{done.added} added · {done.changed} changed · {done.unchanged} unchanged"
    rejected = f" · {len(done.rejected)} rejected" if done.rejected else ""
    say(counts + rejected + (" · dry run, nothing was written" if dry_run else ""))
    finish(Exit.PARTLY if done.rejected else Exit.DONE)


def write(file: Path, lines: Iterable[str]) -> None:
    """Write lines to the file, which then has all of them or is as it was, or to stdout.

    Raises UsageError where it cannot be written.
    """
    if str(file) == "-":
        sys.stdout.writelines(lines)
        return
    if file.exists() and not file.is_file():  # a pipe or a device, which nothing may replace
        try:
            _write_into(file, lines)
        except OSError as exc:
            raise UsageError(f"{file} cannot be written: {exc.strerror or exc}") from exc
    else:
        from digest.services.move.outputs import beside

        with beside(file.resolve() if file.is_symlink() else file, replace=True) as passing:
            _write_into(passing, lines)
    say(f"wrote {file}")


def _write_into(file: Path, lines: Iterable[str]) -> None:
    with file.open("w", encoding="utf-8", newline="") as sink:
        sink.writelines(lines)

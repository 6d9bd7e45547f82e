"""Files that appear whole or not at all, readable by their owner alone."""

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from digest.errors import UsageError


@contextmanager
def beside(file: Path, *, replace: bool) -> Iterator[Path]:
    """A new, empty file of mode 600 in the same folder, which takes the name at the end; nothing is
    left of it after an error or SIGTERM.

    Raises UsageError where the file cannot be written, or is there and may not be replaced.
    """
    if not replace:
        _require_absent(file)
    with _ended_in_order(), _taking(file, replace=replace) as passing:
        yield passing


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM ends the block as an error does, unless the program does something else with it."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)  # as shells tell it

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _taking(file: Path, *, replace: bool) -> Iterator[Path]:
    passing = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(passing, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield passing
        _settle(passing, file, replace=replace)
    except OSError as exc:
        raise UsageError(f"{file} cannot be written: {exc.strerror or exc}") from exc
    finally:
        with suppress(OSError):
            passing.unlink()


def _settle(passing: Path, file: Path, *, replace: bool) -> None:
    """Bring the file to the disk, then give it its name, the folder's entry to the disk as well."""
    with passing.open("rb+") as written:
        os.fsync(written.fileno())
    if replace:
        passing.replace(file)
    else:
        try:
            os.link(passing, file)  # unlike a rename it fails where somebody took the name since
        except FileExistsError:
            _require_absent(file)
        except OSError:  # a file system without links
            _require_absent(file)
            passing.rename(file)
    with suppress(OSError):
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _require_absent(file: Path) -> None:
    if file.exists() or file.is_symlink():
        raise UsageError(f"{file} is there already: give another name, or remove it first")

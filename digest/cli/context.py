"""What every command shares: the config it was given, the app it builds, and the exit codes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from digest.cli.output import fail, note
from digest.errors import ConfigError, DigestError, InvalidInput, UsageError

if TYPE_CHECKING:
    from digest.app import App


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3


class _Given:
    config: Path | None = None
    app: "App | None" = None


def set_config(path: Path | None) -> None:
    """Remember `--config` for the command that follows."""
    _Given.config = path


def config_path() -> Path | None:
    """The path given by `--config`, if any."""
    return _Given.config


def open_app(now: datetime | None = None, *, dry_run: bool = False) -> "App":
    """The app over the settings in force; `now` replaces its clock."""
    from digest.app import App, present
    from digest.settings import load

    loaded = load(config_path())
    for warning in loaded.warnings:
        note(f"warning: {warning}")
    clock: Callable[[], datetime] = (lambda: now) if now else present
    _Given.app = App(loaded, clock, leaves_traces=not dry_run)
    return _Given.app


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn errors of ours into one line on stderr and the exit code that belongs to them."""
    try:
        yield
    except TyperException as exc:
        _wrong_usage(exc)
        sys.exit(Exit.USAGE)
    except (ConfigError, UsageError, InvalidInput) as exc:
        fail(str(exc))
        sys.exit(Exit.USAGE)
    except DigestError as exc:
        fail(str(exc))
        sys.exit(Exit.FAILED)
    except (KeyboardInterrupt, typer.Abort):
        note("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; nothing to tell anybody
        sys.exit(Exit.DONE)
    except UnicodeEncodeError:  # bytes that are no text reach us as halves of surrogate pairs
        fail("what was given is not UTF-8: write it in UTF-8")
        sys.exit(Exit.USAGE)
    except OSError as exc:
        if exc.filename is None:
            raise
        fail(f"{exc.filename}: {exc.strerror}")
        sys.exit(Exit.FAILED)
    except Exception:  # rows that contradict one another are no defect of ours
        if not (damage := _damage()):
            raise
        fail(damage)
        sys.exit(Exit.FAILED)
    finally:
        _Given.app = None


def _damage() -> str:
    """What is wrong with the file of the store that the command had open, if anything."""
    if _Given.app is None or "raw_engine" not in vars(_Given.app):
        return ""
    from digest.store.checks import damage

    return damage(_Given.app.raw_engine)


def _wrong_usage(exc: TyperException) -> None:
    """One line on what the command line was given, or the help where it was given nothing."""
    asked = getattr(exc, "ctx", None)
    if type(exc).__name__ == "NoArgsIsHelpError" or asked is None:
        getattr(exc, "show", lambda: fail(str(exc)))()
        return
    message = str(getattr(exc, "format_message", exc.__str__)()).rstrip(".")
    fail(f"{message[:1].lower()}{message[1:]} (see '{asked.command_path} --help')")


def finish(code: Exit) -> None:
    """End the command with `code`."""
    if code is not Exit.DONE:
        raise typer.Exit(code)


def parse_day(text: str) -> date:
    """A date such as 2026-03-12."""
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is no date: write 2026-03-12") from exc


def parse_instant(text: str) -> datetime:
    """An instant such as 2026-03-12T08:00Z; without an offset it is UTC."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is no instant: write 2026-03-12T08:00Z") from exc
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Day = Annotated[
    date | None,
    typer.Option("--date", parser=parse_day, metavar="DATE", help="A date such as 2026-03-12."),
]
Now = Annotated[
    datetime | None,
    typer.Option(
        "--now",
        parser=parse_instant,
        metavar="INSTANT",
        help="Use this instant in place of the clock, such as 2026-03-12T08:00Z.",
    ),
]

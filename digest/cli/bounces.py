"""`digest bounces`: what came back, and what followed from it."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Exit, Now, finish, open_app
from digest.cli.output import DryRun, Json, Limit, emit_json, note, say, table

if TYPE_CHECKING:
    from digest.app import App
    from digest.mail.mailboxes import Mails
    from digest.services.postbox import Summary, Told

bounces = typer.Typer(
    no_args_is_help=True,
    help="What came back: bounces, complaints, opt-outs by mail.\n\n"
    "Example: digest bounces read returned.mbox",
)


@bounces.command("read")
def read(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]…",
            help="Mails, mbox files, Maildir or other folders; - for stdin. Without any: what"
            " stdin holds, else the mailbox of the config.",
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    now: Now = None,
) -> None:
    """Read returned mails and do what follows: suppress, unsubscribe, or nothing.

    Files are never changed; mails in the mailbox of the config are marked as seen. The same mail
    again does nothing. Ends with code 3 when some could not be read.

    Example: digest bounces read returned.mbox --dry-run
    """
    from digest.services.postbox import Summary, read_mails

    app = open_app(now, dry_run=dry_run)
    mails = _mails(app, files or [])
    told = read_mails(app.engine, mails, app.means, app.clock, dry_run=dry_run)
    summary = Summary()
    if as_json:
        emit_json(_object(one) for one in _counted(told, summary))
    else:
        for one in _counted(told, summary):
            _tell(one)
        say(summary.as_line() + (" · dry run, nothing was written" if dry_run else ""))
    for name, problem in summary.problems:
        note(f"{name}: {problem}")
    finish(Exit.PARTLY if summary.problems else Exit.DONE)


@bounces.command("list")
def list_(
    email: Annotated[str, typer.Option("--email", help="Only of this subscriber.")] = "",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """What came back, the latest first, and what followed from it.

    Example: digest bounces list --email ada@example.com
    """
    from digest.services.postbox import came_back

    found = came_back(open_app().engine, email=email, limit=limit)
    if as_json:
        emit_json(
            {
                "id": one.id,
                "happened_at": one.happened_at,
                "kind": one.kind.value,
                "email": one.email or None,
                "delivery_id": one.delivery_id,
                "status": one.status,
                "detail": one.detail,
                "acted": one.acted,
            }
            for one in found
        )
        return
    rows = (
        (
            *(one.happened_at.date(), one.kind.value, one.email or "(erased)"),
            *(one.delivery_id, one.acted, f"{one.status} {one.detail}".strip()),
        )
        for one in found
    )
    columns = ("day", "kind", "email", "delivery", "followed", "said")
    table(columns, rows, empty="nothing has come back")


def _mails(app: "App", files: list[Path]) -> "Mails":
    from digest.mail.mailboxes import in_files, in_stream

    if not files and (sys.stdin.isatty() or not _has_input()):
        yield from app.mailbox
        return
    for path in files or [Path("-")]:
        if str(path) == "-":
            yield from in_stream(sys.stdin.buffer, "stdin")
        else:
            yield from in_files([path])


def _has_input() -> bool:
    """Whether stdin holds anything: run by cron or a service manager it is there, but empty."""
    buffer = sys.stdin.buffer
    return bool(buffer.peek(1)) if isinstance(buffer, io.BufferedReader) else True


def _counted(told: "Iterator[Told]", summary: "Summary") -> "Iterator[Told]":
    for one in told:
        summary.add(one)
        yield one


def _tell(told: "Told") -> None:
    """A line on what concerns a subscriber, and on bounces and complaints that prove nothing."""
    done = told.handled.done if told.handled else None
    if done is None or done.kind is None:
        return
    about = f" of {done.email}" if done.email else ""
    status = f" ({done.status})" if done.status else ""
    say(f"{told.name}: {done.kind.value}{about}{status}: {done.outcome.value}, {done.why}")


def _object(told: "Told") -> dict[str, Any]:
    if told.handled is None:
        return {"file": told.name, "kind": None, "outcome": "unreadable", "why": told.problem}
    done = told.handled.done
    return {
        "file": told.name,
        "kind": done.kind.value if done.kind else told.handled.kind.value,
        "outcome": done.outcome.value,
        "why": done.why,
        "email": done.email or None,
        "delivery_id": done.delivery_id,
        "status": done.status,
        "detail": done.detail,
    }

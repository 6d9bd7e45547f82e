"""`digest subscribers`: add, list, show, edit, pause, resume, remove, erase, import, export."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Exit, Now, finish, open_app
from digest.cli.output import (
    DryRun,
    Json,
    Limit,
    emit_json,
    fields,
    instant,
    note,
    progress,
    say,
    table,
)
from digest.cli.subscriber_options import (
    Authors,
    Categories,
    Email,
    Empty,
    Hour,
    MaxPapers,
    MinMatches,
    Often,
    Phrases,
    TextOnly,
    Threshold,
    Unwanted,
    Weekday,
    Zone,
    as_object,
    changed_preferences,
    read_interests,
    without,
)
from digest.domain.interests import written
from digest.domain.subscribers import Status
from digest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlmodel import Session

    from digest.app import App
    from digest.domain.subscribers import Subscriber

subscribers = typer.Typer(no_args_is_help=True, help="Who gets the digest, and what they want.")


@subscribers.command("add")
def add(
    email: Email,
    phrases: Phrases = None,
    excluded: Unwanted = None,
    authors: Authors = None,
    categories: Categories = None,
    tz: Zone = None,
    hour: Hour = None,
    frequency: Often = None,
    weekday: Weekday = None,
    max_papers: MaxPapers = None,
    threshold: Threshold = None,
    empty_day: Empty = None,
    min_matches: MinMatches = None,
    text_only: TextOnly = None,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="They asked for it: no confirmation mail.")
    ] = False,
    dry_run: DryRun = False,
    now: Now = None,
) -> None:
    """Add a subscriber, who is asked to confirm by mail unless --confirmed.

    Example: digest subscribers add ada@example.com -i 'continual learning' --confirmed
    """
    from digest.domain.subscribers import Channel
    from digest.services.subscribe import subscribe

    app = open_app(now)
    schedule = (tz, hour, frequency, weekday)
    rest = (max_papers, threshold, empty_day, min_matches, text_only)
    preferences = changed_preferences(app.new_preferences, schedule, rest)
    wanted = read_interests(phrases, excluded, authors, categories)
    person = _changed(
        app,
        dry_run,
        lambda session, at: subscribe(
            session,
            email,
            interests=wanted,
            preferences=preferences,
            confirmed=confirmed,
            channel=Channel.CLI,
            now=at,
            keys=app.keys,
        ),
    )
    told = "active" if confirmed else "pending: a confirmation mail is queued"
    say(f"{'would add' if dry_run else 'added'} {person.email}, {told}")


@subscribers.command("list")
def list_(
    status: Annotated[
        list[Status] | None, typer.Option("--status", help="Only of this status; repeatable.")
    ] = None,
    search: Annotated[str, typer.Option("--search", help="Part of the address.")] = "",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """The subscribers, first to last.

    Example: digest subscribers list --status active
    """
    from digest.store.database import reading
    from digest.store.subscribers import listed

    with reading(open_app().engine) as session:
        found = listed(session, statuses=status or [], contains=search, limit=limit)
    if as_json:
        emit_json(map(as_object, found))
        return
    rows = ((p.id, p.status.value, p.email, instant(p.next_digest_at), _wanted(p)) for p in found)
    table(("id", "status", "email", "next digest", "interests"), rows, empty="no subscribers")


@subscribers.command("show")
def show(email: Email, as_json: Json = False) -> None:
    """One subscriber, whole.

    Example: digest subscribers show ada@example.com
    """
    from digest.store.database import reading
    from digest.store.subscribers import by_email

    with reading(open_app().engine) as session:
        found = as_object(by_email(session, email))
    if as_json:
        emit_json([found])
        return
    fields(
        (name, ", ".join(value) if isinstance(value, list) else value)
        for name, value in found.items()
    )


@subscribers.command("edit")
def edit(
    email: Email,
    phrases: Phrases = None,
    excluded: Unwanted = None,
    authors: Authors = None,
    categories: Categories = None,
    tz: Zone = None,
    hour: Hour = None,
    frequency: Often = None,
    weekday: Weekday = None,
    max_papers: MaxPapers = None,
    threshold: Threshold = None,
    empty_day: Empty = None,
    min_matches: MinMatches = None,
    text_only: TextOnly = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            "--remove", metavar="TEXT", help="Drop the interest of this text; repeatable."
        ),
    ] = None,
    replace_all: Annotated[
        bool, typer.Option("--replace", help="The interests given here are all; others go.")
    ] = False,
    dry_run: DryRun = False,
    now: Now = None,
) -> None:
    """Change settings; interests given are added to those there are.

    Example: digest subscribers edit ada@example.com --hour 7 -i 'graph neural networks'
    """
    from digest.services.subscribe import edit as change

    app = open_app(now)
    schedule = (tz, hour, frequency, weekday)
    rest = (max_papers, threshold, empty_day, min_matches, text_only)
    given = read_interests(phrases, excluded, authors, categories)

    def step(session: "Session", at: "datetime") -> "Subscriber":
        person = _find(session, email)
        kept = () if replace_all else without(person, remove or [])
        preferences = changed_preferences(person.preferences, schedule, rest)
        return change(
            session, person.id, interests=(*kept, *given), preferences=preferences, now=at
        )

    person = _changed(app, dry_run, step)
    say(f"{'would change' if dry_run else 'changed'} {person.email}")


@subscribers.command("confirm")
def confirm(email: Email, dry_run: DryRun = False, now: Now = None) -> None:
    """Confirm for a subscriber who asked for it.

    Example: digest subscribers confirm ada@example.com
    """
    from digest.domain.subscribers import Channel
    from digest.services.subscribe import confirm as step

    app = open_app(now)
    _status_changed(
        app,
        email,
        dry_run,
        lambda session, person, at: step(
            session, person.id, channel=Channel.CLI, now=at, keys=app.keys
        ),
    )


@subscribers.command("pause")
def pause(email: Email, dry_run: DryRun = False, now: Now = None) -> None:
    """Stop the digests for a while.

    Example: digest subscribers pause ada@example.com
    """
    from digest.domain.subscribers import Channel
    from digest.services.subscribe import pause as step

    _status_changed(
        open_app(now),
        email,
        dry_run,
        lambda session, person, at: step(session, person.id, channel=Channel.CLI, now=at),
    )


@subscribers.command("resume")
def resume(email: Email, dry_run: DryRun = False, now: Now = None) -> None:
    """Go on after a pause.

    Example: digest subscribers resume ada@example.com
    """
    from digest.domain.subscribers import Channel
    from digest.services.subscribe import resume as step

    _status_changed(
        open_app(now),
        email,
        dry_run,
        lambda session, person, at: step(session, person.id, channel=Channel.CLI, now=at),
    )


@subscribers.command("remove")
def remove(email: Email, dry_run: DryRun = False, now: Now = None) -> None:
    """Unsubscribe: no mail any more, and no import brings them back.

    Example: digest subscribers remove ada@example.com
    """
    from digest.domain.subscribers import Channel
    from digest.services.subscribe import unsubscribe as step

    _status_changed(
        open_app(now),
        email,
        dry_run,
        lambda session, person, at: step(session, person.id, channel=Channel.CLI, now=at),
    )


@subscribers.command("erase")
def erase(email: Email, dry_run: DryRun = False, now: Now = None) -> None:
    """Forget a subscriber; only a keyed hash stays, so that no import brings them back.

    Example: digest subscribers erase ada@example.com
    """
    from digest.services.subscribe import erase as step

    app = open_app(now)

    def forget(session: "Session", at: "datetime") -> "Subscriber":
        person = _find(session, email)
        step(session, person.id, now=at, keys=app.keys)
        return person

    person = _changed(app, dry_run, forget)
    say(f"{'would erase' if dry_run else 'erased'} {person.email}")


@subscribers.command("import")
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
    if str(file) != "-" and not file.is_file():
        raise UsageError(f"file {file} does not exist")
    app = open_app(now)
    stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    with stream, progress("importing") as step:
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
    for line, reason in done.rejected:
        note(f"line {line}: {reason}")
    counts = f"{done.added} added · {done.changed} changed · {done.unchanged} unchanged"
    rejected = f" · {len(done.rejected)} rejected" if done.rejected else ""
    say(counts + rejected + (" · dry run, nothing was written" if dry_run else ""))
    finish(Exit.PARTLY if done.rejected else Exit.DONE)


@subscribers.command("export")
def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .csv or .jsonl file; - for stdout.")
    ],
    form: Annotated[str, typer.Option("--format", help="csv or jsonl; else by the ending.")] = "",
) -> None:
    """Write all subscribers into a file that import reads.

    Example: digest subscribers export people.csv
    """
    from digest.services.transfer import export_subscribers
    from digest.store.database import reading

    file_format = _format(file, form)
    app = open_app()
    with reading(app.engine) as session:
        lines = export_subscribers(session, file_format)
        if str(file) == "-":
            sys.stdout.writelines(lines)
            return
        try:
            with file.open("w", encoding="utf-8", newline="") as sink:
                sink.writelines(lines)
        except OSError as exc:
            raise UsageError(f"{file} cannot be written: {exc}") from exc
    say(f"wrote {file}")


def _changed(
    app: "App", dry_run: bool, step: "Callable[[Session, datetime], Subscriber]"
) -> "Subscriber":
    """Run one change in one transaction; a dry run takes it back."""
    from digest.store.database import transaction

    with transaction(app.engine) as session:
        person = step(session, app.clock())
        if dry_run:
            session.rollback()
    return person


def _status_changed(
    app: "App",
    email: str,
    dry_run: bool,
    step: "Callable[[Session, Subscriber, datetime], Subscriber]",
) -> None:
    person = _changed(app, dry_run, lambda session, at: step(session, _find(session, email), at))
    say(f"{person.email} {'would be' if dry_run else 'is'} {person.status.value}")


def _find(session: "Session", email: str) -> "Subscriber":
    from digest.store.subscribers import by_email

    return by_email(session, email)


def _wanted(person: "Subscriber") -> str:
    return ", ".join(("-" if one.excluded else "") + written(one) for one in person.interests)


def _format(file: Path, form: str) -> Any:
    from digest.services.rowfiles import Format

    name = form or file.suffix.lstrip(".").lower()
    try:
        return Format(name)
    except ValueError as exc:
        raise UsageError(f"--format {name or '(missing)'}: give csv or jsonl") from exc

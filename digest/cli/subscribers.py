"""`digest subscribers`: add, list, show, edit, pause, resume, remove, erase, import, export."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli import subscriber_files, subscriber_status
from digest.cli.context import Now, open_app
from digest.cli.output import (
    DryRun,
    Json,
    Limit,
    emit_json,
    fields,
    instant,
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

if TYPE_CHECKING:
    from sqlmodel import Session

    from digest.domain.subscribers import Subscriber

subscribers = typer.Typer(
    no_args_is_help=True,
    help="Who gets the digest, and what they want.\n\n"
    "Example: digest subscribers list --status active",
)


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
    from digest.services.roster import added
    from digest.services.subscribe import subscribe

    app = open_app(now, dry_run=dry_run)
    schedule = (tz, hour, frequency, weekday)
    rest = (max_papers, threshold, empty_day, min_matches, text_only)
    preferences = changed_preferences(app.new_preferences, schedule, rest)
    wanted = read_interests(phrases, excluded, authors, categories)
    step = partial(
        subscribe,
        email=email,
        interests=wanted,
        preferences=preferences,
        confirmed=confirmed,
        channel=Channel.CLI,
        now=app.clock(),
        keys=app.keys,
    )
    person = added(app.engine, step, dry_run=dry_run)
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
    from digest.services.roster import listed

    found = listed(open_app().engine, statuses=status or [], contains=search, limit=limit)
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
    from digest.services.roster import one

    found = as_object(one(open_app().engine, email))
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
    from digest.services.roster import changed
    from digest.services.subscribe import edit as change

    app = open_app(now, dry_run=dry_run)
    at = app.clock()
    schedule = (tz, hour, frequency, weekday)
    rest = (max_papers, threshold, empty_day, min_matches, text_only)
    given = read_interests(phrases, excluded, authors, categories)

    def step(session: "Session", person: "Subscriber") -> "Subscriber":
        kept = () if replace_all else without(person, remove or [])
        preferences = changed_preferences(person.preferences, schedule, rest)
        return change(
            session, person.id, interests=(*kept, *given), preferences=preferences, now=at
        )

    person = changed(app.engine, email, step, dry_run=dry_run)
    say(f"{'would change' if dry_run else 'changed'} {person.email}")


subscribers.command("confirm")(subscriber_status.confirm)
subscribers.command("pause")(subscriber_status.pause)
subscribers.command("resume")(subscriber_status.resume)
subscribers.command("remove")(subscriber_status.remove)
subscribers.command("erase")(subscriber_status.erase)
subscribers.command("import")(subscriber_files.import_)
subscribers.command("export")(subscriber_files.export)


def _wanted(person: "Subscriber") -> str:
    return ", ".join(written(one) for one in person.interests)

"""`digest feedback`: what a subscriber said of papers, which moves their ranking."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Now, open_app
from digest.cli.output import DryRun, Json, Limit, emit_json, instant, say, table
from digest.cli.subscriber_options import Email
from digest.domain.feedback import Opinion, weight
from digest.domain.subscribers import Channel

if TYPE_CHECKING:
    from datetime import datetime

    from digest.store.feedback import Given

feedback = typer.Typer(
    no_args_is_help=True,
    help="More or less like this: what subscribers said of papers.\n\n"
    "Example: digest feedback list ada@example.com",
)


class Word(StrEnum):
    """What can be said of a paper; a click is recorded by the reader's own links alone."""

    MORE = "more"
    LESS = "less"


@feedback.command("add")
def add(
    email: Email,
    paper: Annotated[str, typer.Argument(help="Its number, arXiv id, DOI or address.")],
    word: Annotated[Word, typer.Argument(help="More like this, or less.")],
    dry_run: DryRun = False,
    now: Now = None,
) -> None:
    """Say for a subscriber that they want more, or less, like a paper.

    The last word on a paper counts.

    Example: digest feedback add ada@example.com 2603.01234 more
    """
    from digest.services import feedback as votes
    from digest.services import roster

    app = open_app(now, dry_run=dry_run)
    person, found = roster.one(app.engine, email), votes.paper_named(app.engine, paper)
    opinion = Opinion(word)
    if not votes.record(
        app.engine,
        person.id,
        found.id,
        opinion,
        at=app.clock(),
        channel=Channel.CLI,
        dry_run=dry_run,
    ):
        say(f"{person.email} has a later word on {found.title}: left as it is")
        return
    would = "would want" if dry_run else "wants"
    say(f"{person.email} {would} {opinion.value} like {found.title}")


@feedback.command("list")
def list_(email: Email, limit: Limit = 50, as_json: Json = False, now: Now = None) -> None:
    """A subscriber's votes, the latest first, and how much each still weighs (1 when new).

    Example: digest feedback list ada@example.com
    """
    from digest.services import feedback as votes
    from digest.services import roster

    app = open_app(now)
    found = votes.listed(app.engine, roster.one(app.engine, email).id, limit)
    items = [_object(given, app.clock()) for given in found]
    if as_json:
        emit_json(items)
        return
    columns = ("paper", "opinion", "weight", "channel", "given_at", "title")
    table(columns, ([item[name] for name in columns] for item in items), empty="no feedback")


@feedback.command("reset")
def reset(email: Email, dry_run: DryRun = False) -> None:
    """Forget all that a subscriber said of papers: their interests alone rank again.

    Example: digest feedback reset ada@example.com
    """
    from digest.services import feedback as votes
    from digest.services import roster

    app = open_app(dry_run=dry_run)
    person = roster.one(app.engine, email)
    count = votes.reset(app.engine, person.id, dry_run=dry_run)
    verb = "would forget" if dry_run else "forgot"
    say(f"{verb} {count} vote{'s' if count != 1 else ''} of {person.email}")


def _object(given: "Given", now: "datetime") -> dict[str, Any]:
    vote = given.vote
    return {
        "paper": vote.paper_id,
        "opinion": vote.opinion.value,
        "weight": round(weight(vote, now), 3),
        "channel": given.channel.value,
        "given_at": instant(vote.given_at),
        "title": vote.title,
    }

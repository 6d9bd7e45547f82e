"""`digest deliveries`: the ledger, row by row, and the story of one mail."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Day, Exit, Now, finish, open_app
from digest.cli.output import DryRun, Json, Limit, emit_json, fields, instant, note, say, table
from digest.domain.deliveries import MailKind, State

if TYPE_CHECKING:
    from digest.domain.deliveries import Delivery
    from digest.domain.story import Event
    from digest.services.journal import Entry, Told

deliveries = typer.Typer(
    no_args_is_help=True,
    help="The ledger: who got what, and who did not.\n\n"
    "Example: digest deliveries list --state failed",
)

States = Annotated[
    list[State] | None, typer.Option("--state", help="Only of this state; repeatable.")
]
Number = Annotated[int, typer.Argument(metavar="ID", max=2**31 - 1, help="The delivery's number.")]


@deliveries.command("list")
def list_(
    state: States = None,
    kind: Annotated[
        list[MailKind] | None, typer.Option("--kind", help="Only of this kind; repeatable.")
    ] = None,
    email: Annotated[str, typer.Option("--email", help="Only of this subscriber.")] = "",
    day: Day = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """The ledger's rows, the latest first.

    Example: digest deliveries list --state failed
    """
    from digest.services.journal import Journal, Which

    which = Which(states=state or [], kinds=kind or [], email=email, digest_on=day)
    found = Journal(open_app().engine).deliveries(which, limit)
    if as_json:
        emit_json(map(_object, found))
        return
    rows = (
        (d.id, d.kind.value, d.digest_on, d.state.value, d.email, d.reason or _count(d))
        for d in found
    )
    table(("id", "kind", "date", "state", "email", "papers or reason"), rows, empty="no deliveries")


@deliveries.command("show")
def show(number: Number, as_json: Json = False, now: Now = None) -> None:
    """The whole story of one mail: its papers, what happened in order, and what happens next.

    Example: digest deliveries show 17
    """
    from digest.services.journal import Journal

    app = open_app(now)
    give_up = timedelta(hours=app.settings.delivery.give_up_hours)
    told = Journal(app.engine).story(number, app.clock(), give_up)
    if as_json:
        emit_json([_told_object(told)])
        return
    found = told.entry.delivery
    shown = ("kind", "email", "state", "reason", "attempts", "doubtful", "message_id")
    item = _object(found)
    fields([("delivery", found.id), *((name, item[name]) for name in shown if item[name])])
    for line in _picks(told.entry):
        say(line)
    fields((instant(event.at) or "", _event_line(event)) for event in told.events)
    fields([("next", _next_line(told))])


@deliveries.command("retry")
def retry(
    numbers: Annotated[
        list[int] | None,
        typer.Argument(metavar="[ID]…", help="Deliveries; all that --state names."),
    ] = None,
    state: States = None,
    dry_run: DryRun = False,
    now: Now = None,
) -> None:
    """Queue failed and held deliveries again.

    Example: digest deliveries retry --state held
    """
    from digest.errors import UsageError
    from digest.services.journal import Journal

    if not numbers and not state:
        raise UsageError("name deliveries by their numbers, or give --state failed or --state held")
    if any(s not in (State.FAILED, State.HELD) for s in state or ()):
        raise UsageError("only failed and held deliveries can be sent again")
    app = open_app(now)
    states = state or (State.FAILED, State.HELD)
    queued = Journal(app.engine).retry(numbers or (), states, app.clock(), dry_run=dry_run)
    for number in sorted(set(numbers or ()) - set(queued)):
        note(f"delivery {number} is not there, or neither failed nor held: left as it is")
    say(f"{'would queue' if dry_run else 'queued'} {len(queued)} again")
    finish(Exit.DONE if queued or not numbers else Exit.FAILED)


@deliveries.command("stats")
def stats(as_json: Json = False) -> None:
    """How many deliveries are in each state.

    Example: digest deliveries stats
    """
    from digest.services.journal import Journal

    found = Journal(open_app().engine).counts()
    if as_json:
        emit_json([{"state": state.value, "deliveries": count} for state, count in found.items()])
        return
    table(("state", "deliveries"), ((s.value, n) for s, n in found.items()), empty="no deliveries")


def _picks(entry: "Entry") -> Iterator[str]:
    from digest.domain.digests import reason_sentence

    for place, (pick, title) in enumerate(entry.picks, start=1):
        yield f"{place:2}. {title or f'paper {pick.paper_id}, which is gone'}"
        yield f"    {reason_sentence(pick.reason)} · score {pick.score:.2f}"


def _event_line(event: "Event") -> str:
    return f"{event.what}: {event.text}" if event.text else event.what


def _next_line(told: "Told") -> str:
    return f"{told.next}: {instant(told.next_at)}" if told.next_at else told.next


def _told_object(told: "Told") -> dict[str, Any]:
    from digest.domain.digests import reason_sentence

    entry, known = told.entry, told.known
    item = _object(entry.delivery)
    item["picks"] = [
        {
            "paper": pick.paper_id,
            "title": title,
            "score": round(pick.score, 4),
            "relevance": round(pick.relevance, 4),
            "trend": round(pick.trend, 4),
            "reason": reason_sentence(pick.reason),
        }
        for pick, title in entry.picks
    ]
    item["came_back"] = [
        {
            "kind": one.kind.value,
            "status": one.status,
            "detail": one.detail,
            "acted": one.acted,
            "happened_at": instant(one.happened_at),
        }
        for one in entry.came_back
    ]
    item |= {
        "smtp_reply": known.reply,
        "owner": known.owner,
        "lease_until": instant(known.lease_until),
        "story": [
            {"at": instant(event.at), "what": event.what, "text": event.text}
            for event in told.events
        ],
        "next": {"what": told.next, "at": instant(told.next_at)},
    }
    return item


def _count(found: "Delivery") -> str:
    from digest.services.journal import paper_ids

    count = len(paper_ids(found.picks))
    return f"{count} paper{'s' if count != 1 else ''}" if count else ""


def _object(found: "Delivery") -> dict[str, Any]:
    from digest.services.journal import paper_ids

    return {
        "id": found.id,
        "kind": found.kind.value,
        "subscriber_id": found.subscriber_id,
        "email": found.email,
        "digest_on": found.digest_on,
        "edition_id": found.edition_id,
        "state": found.state.value,
        "reason": found.reason,
        "attempts": found.attempts,
        "doubtful": found.doubtful,
        "message_id": found.message_id,
        "papers": list(paper_ids(found.picks)),
        "queued_at": instant(found.queued_at),
        "due_at": instant(found.due_at),
        "begun_at": instant(found.begun_at),
        "sent_at": instant(found.sent_at),
        "smtp_code": found.smtp_code,
    }

"""`digest deliveries` and `digest stats`: the ledger, and what it adds up to."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Day, Exit, Now, finish, open_app
from digest.cli.output import DryRun, Json, Limit, emit_json, fields, instant, note, say, table
from digest.domain.deliveries import MailKind, State

if TYPE_CHECKING:
    from digest.domain.deliveries import Delivery

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
def show(number: Number, as_json: Json = False) -> None:
    """One delivery, whole.

    Example: digest deliveries show 17
    """
    from digest.domain.digests import reason_sentence
    from digest.services.journal import Journal

    entry = Journal(open_app().engine).entry(number)
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
    if as_json:
        emit_json([item])
        return
    told, returned = item.pop("picks"), item.pop("came_back")
    fields([(name, value) for name, value in item.items() if name != "papers"])
    fields(
        ("came back", f"{one['happened_at']} {one['kind']}: {one['acted']} ({one['detail']})")
        for one in returned
    )
    fields((f"pick {n}", f"{p['title']} — {p['reason']}") for n, p in enumerate(told, start=1))


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


def overall(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many days.")] = 14,
    as_json: Json = False,
    now: Now = None,
) -> None:
    """Subscribers, papers and deliveries by day.

    Example: digest stats --days 30
    """
    from digest.services.journal import Journal

    app = open_app(now)
    journal = Journal(app.engine)
    by_day, people = journal.days(app.clock(), days), journal.people()
    shown = (State.SENT, State.SKIPPED, State.DEFERRED, State.FAILED)
    if as_json:
        emit_json(
            {
                "day": d.day,
                "papers": d.papers,
                "joined": d.joined,
                "left": d.left,
                "deliveries": {state.value: d.deliveries.get(state, 0) for state in State},
            }
            for d in by_day
        )
        return
    say(" · ".join(f"{count} {status.value}" for status, count in people.items()))
    rows = (
        (d.day, d.papers, d.joined, d.left, *(d.deliveries.get(state, 0) for state in shown))
        for d in by_day
    )
    columns = ("day", "papers", "joined", "left", *(state.value for state in shown))
    table(columns, rows, empty="no days")


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

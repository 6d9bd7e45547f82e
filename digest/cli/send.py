"""`digest compose`, `deliver`, `send` and `preview`: from the edition to the relay."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Day, Exit, Now, finish, open_app
from digest.cli.output import DryRun, Json, emit_json, fail, note, progress, say
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.services.compose import Composed, ComposedDigest
    from digest.services.deliver import Delivered

Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="EMAIL", help="Only this address, at once; repeatable."),
]
Count = Annotated[int | None, typer.Option("--limit", min=1, help="Send at most so many messages.")]
Processes = Annotated[
    int, typer.Option("--processes", min=1, max=64, help="Send with so many processes.")
]


def compose(
    day: Day = None,
    only: Only = None,
    now: Now = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Put the digests of who is due into the ledger; send nothing.

    With --date for everyone whose schedule chooses that local date. Example: digest compose
    """
    app = open_app(now, dry_run=dry_run)
    finish(_compose(app, day, only, dry_run, as_json))


def deliver(
    limit: Count = None, processes: Processes = 1, dry_run: DryRun = False, now: Now = None
) -> None:
    """Send what the ledger holds and is due.

    Example: digest deliver --limit 100
    """
    if dry_run:
        _say_due(limit, now)
    else:
        finish(_deliver(limit, processes, now, ()))


def send(
    day: Day = None,
    only: Only = None,
    now: Now = None,
    limit: Count = None,
    processes: Processes = 1,
    test: Annotated[
        bool,
        typer.Option("--test", help="With --only: send marked copies; the ledger is not touched."),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Compose, then deliver: once, now; with --only to these addresses alone.

    Example: digest send --only you@example.com · digest send --only you@example.com --test
    """
    if test:
        if limit is not None or processes != 1:
            raise UsageError("--test takes no --limit and no --processes")
        finish(_send_copies(day, only, now, dry_run))
        return
    app = open_app(now, dry_run=dry_run)
    if not dry_run:
        app.mailroom.check()  # before the ledger holds what cannot be put into words
    with _summed_up(app, dry_run):
        composed = _compose(app, day, only, dry_run, as_json=False)
        delivered = Exit.DONE if dry_run else _deliver(limit, processes, now, tuple(only or ()))
    finish(composed if delivered is Exit.DONE else delivered)


def preview(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="A subscriber's address.")],
    day: Day = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write .html, .txt and .eml into this folder.")
    ] = None,
    now: Now = None,
) -> None:
    """Exactly the mail that would go out; without --out its text is shown.

    Example: digest preview you@example.com --out preview
    """
    from digest.services.preview import Desk, write_mail
    from digest.services.preview import preview as make

    app = open_app(now)
    desk = Desk(engine=app.engine, composer=app.composer, mailroom=app.mailroom)
    made = make(desk, email, app.clock(), day)
    if made.mail is None:
        say(f"no mail for {made.email} on {made.digest_on}: {made.skipped}")
    elif out is None:
        for line in [
            f"Subject: {made.mail.rendered.subject}",
            "",
            *made.mail.rendered.text.splitlines(),
        ]:
            say(line)
    else:
        for path in write_mail(out, f"{made.digest_on}-{made.email}", made.mail):
            say(str(path))


@contextmanager
def _summed_up(app: "App", dry_run: bool) -> Iterator[None]:
    """One line of the log beside what is said, for those who collect such lines."""
    from digest.logs import configure
    from digest.services import runs

    if dry_run:
        yield
        return
    configure(app.settings.log.level, app.settings.log.format)
    with runs.run("send"):
        yield


def _compose(app: "App", day: date | None, only: Only, dry_run: bool, as_json: bool) -> Exit:
    from digest.services import runs
    from digest.services.compose import Who

    _warn_of_closed(app, day)
    outcomes: list[dict[str, Any]] = []
    with progress("composing") as step:

        def each(one: "ComposedDigest") -> None:
            step(1)
            if dry_run or as_json:
                outcomes.append(_outcome(one))

        who = Who(digest_on=day, only=tuple(only or ()))
        done = app.composer.compose(who, app.clock(), dry_run=dry_run, each=each)
    if not dry_run:
        runs.composed(done)
    if as_json:
        emit_json(outcomes)
    else:
        for outcome in outcomes:
            say(_outcome_line(outcome))
        say(_composed_line(done, dry_run))
    for email, error in done.failed:
        fail(f"{email}: {error}")
    if not done.failed:
        return Exit.DONE
    return Exit.PARTLY if done.composed else Exit.FAILED


def _warn_of_closed(app: "App", day: date | None) -> None:
    from digest.domain.retention import closed_before

    closed = closed_before(app.retention, app.clock())
    if day and closed and day < closed:
        note(
            f"warning: what was sent for days before {closed} may be forgotten ([retention]"
            f" deliveries_days): whoever had a digest of {day} may get another"
        )


def _deliver(limit: int | None, processes: int, now: Now, only: tuple[str, ...]) -> Exit:
    from digest.processes import deliver_with
    from digest.services import runs
    from digest.services.roster import ids_of, without_erased

    app = open_app(now)
    people = ids_of(app.engine, only)
    if only and not people:
        return Exit.DONE  # composing has named the strangers
    with progress("sending"):
        if processes == 1 or only:
            app.mailroom.check()
            done = app.deliver(limit=limit, only=people, insist=True)
        else:
            done = deliver_with(app, processes, limit, now)
    runs.delivered(done)
    say(_delivered_line(done))
    if done.again_at:
        note(f"the limits let {done.waiting} wait, the first until {done.again_at:%H:%M:%S} UTC")
    for recipient, problem in without_erased(app.engine, done.problems, app.keys):
        note(f"{recipient}: {problem}")
    if done.relay_error:
        fail(done.relay_error)
    return _delivered_code(done)


def _send_copies(day: date | None, only: Only, now: Now, dry_run: bool) -> Exit:
    if not only:
        raise UsageError("--test needs --only EMAIL: whom to send the copy to")
    trials = open_app(now, dry_run=dry_run).send_copies(only, day, dry_run=dry_run)
    for trial in trials:
        if trial.problem:
            fail(f"{trial.email}: {trial.problem}")
        elif trial.skipped:
            say(f"no mail for {trial.email} on {trial.digest_on}: {trial.skipped}")
        elif dry_run:
            say(f"would send a test copy of {trial.digest_on} to {trial.email}")
        else:
            say(f"test copy of {trial.digest_on} sent to {trial.email}: {trial.answer}")
    if not any(trial.problem for trial in trials):
        return Exit.DONE
    return Exit.PARTLY if any(not trial.problem for trial in trials) else Exit.FAILED


def _say_due(limit: int | None, now: Now) -> None:
    from digest.services.journal import Journal

    app = open_app(now)
    due = Journal(app.engine).due(app.clock())
    say(f"would send {due if limit is None else min(due, limit)} of {due} due")


def _delivered_code(done: "Delivered") -> Exit:
    if not done.unsent and not done.relay_error:
        return Exit.DONE
    return Exit.PARTLY if done.sent else Exit.FAILED


def _outcome(one: "ComposedDigest") -> dict[str, Any]:
    from digest.domain.digests import Digest

    content = one.content
    picks = content.picks if isinstance(content, Digest) else ()
    return {
        "email": one.subscriber.email,
        "digest_on": content.digest_on,
        "skipped": None if isinstance(content, Digest) else content.reason.value,
        "trending_only": isinstance(content, Digest) and content.trending_only,
        "papers": [pick.paper_id for pick in picks],
    }


def _outcome_line(outcome: dict[str, Any]) -> str:
    told = f"{outcome['email']} {outcome['digest_on']}"
    if outcome["skipped"]:
        return f"{told}: skipped ({outcome['skipped']})"
    papers = ", ".join(str(number) for number in outcome["papers"])
    return f"{told}: papers {papers}" + (" (trending)" if outcome["trending_only"] else "")


def _composed_line(done: "Composed", dry_run: bool) -> str:
    parts = [f"{done.due} due", f"{done.composed} composed from {done.papers} papers"]
    parts += [f"{count} skipped ({reason.value})" for reason, count in done.skipped.items()]
    parts += [f"{done.already} composed before"] if done.already else []
    parts += [f"{len(done.failed)} failed"] if done.failed else []
    return " · ".join(parts) + (" · dry run, nothing was written" if dry_run else "")


def _delivered_line(done: "Delivered") -> str:
    counts = [f"{count} {state.value}" for state, count in sorted(done.states.items()) if count]
    return " · ".join(counts) or "nothing to send"

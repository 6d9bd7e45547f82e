"""The command line: one file per noun; it calls services and prints, and holds no rules."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from digest.cli import (
    backtest,
    backup,
    bounces,
    context,
    daemon,
    deliveries,
    demo,
    dkim,
    doctor,
    feedback,
    fetch,
    helptexts,
    interests,
    invitations,
    move,
    papers,
    prune,
    rank,
    send,
    stats,
    store,
    subscribers,
    suppressions,
    web,
    worker,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _root(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="The config file; else ./config.toml, $DIGEST_CONFIG, or digest/config.toml in the"
            " XDG config folder.",
        ),
    ] = None,
) -> None:
    """Trending papers in your inbox, once a day.

    Example: digest demo · digest init
    """
    context.set_config(config)


app.command("demo")(demo.demo)
app.command("init")(store.init)
app.add_typer(store.db, name="db")
store.db.command("backup")(backup.backup)
store.db.command("settle")(backup.settle)
app.command("export")(move.export)
app.command("import")(move.import_)
app.command("fetch")(fetch.fetch)
app.add_typer(fetch.sources, name="sources")
app.add_typer(papers.papers, name="papers")
app.add_typer(interests.interests, name="interests")
app.add_typer(subscribers.subscribers, name="subscribers")
app.add_typer(feedback.feedback, name="feedback")
app.add_typer(invitations.invitations, name="invitations")
app.add_typer(dkim.dkim, name="dkim")
app.command("preview")(send.preview)
app.command("backtest")(backtest.backtest)
app.command("rank")(rank.rank)
app.command("compose")(send.compose)
app.command("deliver")(send.deliver)
app.command("send")(send.send)
app.add_typer(deliveries.deliveries, name="deliveries")
app.add_typer(bounces.bounces, name="bounces")
app.add_typer(suppressions.suppressions, name="suppressions")
app.command("run")(daemon.run)
app.command("worker")(worker.worker)
app.command("web")(web.web)
app.command("doctor")(doctor.doctor)
app.command("stats")(stats.overall)
app.command("prune")(prune.prune)
helptexts.flow(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; always ends in SystemExit with one of the exit codes."""
    with context.exit_codes():
        given = sys.argv[1:] if arguments is None else arguments
        code = app(given, prog_name="digest", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else context.Exit.DONE)

"""The command line: one file per noun; it calls services and prints, and holds no rules."""

import typer

from digest.cli.rank import rank

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _root() -> None:
    """Trending papers in your inbox, once a day."""


app.command()(rank)


def main() -> None:
    """Run the command line."""
    app()

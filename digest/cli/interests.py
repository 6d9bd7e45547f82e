"""`digest interests`: what to be interested in."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import open_app
from digest.cli.output import Json, emit_json, note, table

if TYPE_CHECKING:
    from digest.ranking.suggest import Related, Suggestion

interests = typer.Typer(
    no_args_is_help=True,
    help="What to be interested in.\n\nExample: digest interests suggest 'continual learning'",
)

Limit = Annotated[
    int, typer.Option("--limit", min=0, max=2**31 - 1, help="At most so many phrases; 0 for all.")
]


@interests.callback()
def _interests() -> None:
    """Keeps `suggest` a command of its own, although it is the only one."""


@interests.command("suggest")
def suggest(
    phrase: Annotated[str, typer.Argument(metavar="PHRASE", help="A topic, as papers put it.")],
    limit: Limit = 12,
    as_json: Json = False,
) -> None:
    """Phrases that the store's papers use together with a phrase, the closest first.

    Beside each stand the papers that hold it, and those that hold both. Example: digest interests
    suggest 'continual learning'
    """
    from digest.services.suggest import suggest as related
    from digest.store.database import reading

    with reading(open_app().engine) as session:
        found = related(session, phrase, limit)
    if as_json:
        emit_json(_object(one) for one in found.suggestions)
    elif found.suggestions:
        rows = [(one.phrase, one.papers, one.together) for one in found.suggestions]
        table(("phrase", "papers", "together"), rows, empty="")
    note(_told(found, phrase))


def _object(one: "Suggestion") -> dict[str, Any]:
    return {
        "phrase": one.phrase,
        "papers": one.papers,
        "together": one.together,
        "score": round(one.score, 2),
    }


def _told(found: "Related", phrase: str) -> str:
    """One line on how much the answer rests on."""
    if not found.papers:
        return "no papers in the store yet: run digest fetch first"
    papers = f"{found.papers:,} paper{'s' if found.papers != 1 else ''}"
    if found.holders:
        held = f"{phrase!r} stands in {found.holders:,} of {papers}"
        return held if found.suggestions else f"{held}, and no phrase goes with it"
    if found.suggestions:
        return f"{phrase!r} stands in none of {papers}; these share words with it"
    return f"{phrase!r} stands in none of {papers}, nor does any word of it"

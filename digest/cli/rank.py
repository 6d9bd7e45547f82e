"""`digest rank`: ranking as a filter, without config or store."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.domain.tiers import Tier
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.services.rankfiles import BadLine

_NAMED_MOST = 1_000  # bad lines named one by one


def rank(
    papers: Annotated[Path, typer.Option(help="Papers as JSONL: id, title, abstract, …")],
    interests: Annotated[Path, typer.Option(help="Interests as JSONL: id, keywords, exclude.")],
    archive: Annotated[
        Path | None, typer.Option(help="Earlier papers: they inform, and are never ranked.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="Papers per interest; 0 for all.")] = 100,
    output: Annotated[
        Path | None, typer.Option(help="Where the run goes (TSV); else to stdout.")
    ] = None,
    tier: Annotated[
        Tier,
        typer.Option(
            envvar="DIGEST_RANKING__TIER",
            help="core: words alone; semantic: and what they mean; transformer: slow, and better.",
        ),
    ] = Tier.AUTO,
    explain: Annotated[
        bool, typer.Option("--explain", help="Write the evidence to OUTPUT.explain.jsonl too.")
    ] = False,
) -> None:
    """Rank papers for interests, by relevance alone: no trend, store or network.

    Example: digest rank --papers day.jsonl --interests mine.jsonl --output run.tsv
    """
    from digest.services import rank as service  # numpy and scipy: not for --help

    if output == Path("-"):
        output = None
    request = service.RankRequest(
        papers=papers, interests=interests, archive=archive, top=top, tier=tier
    )
    try:
        done = service.rank(request, output=output, stdout=sys.stdout, explain=explain)
    except UsageError as exc:
        typer.echo(f"Error: {_printable(str(exc))}", err=True)
        raise typer.Exit(2) from exc
    if done.note:
        typer.echo(f"note: {done.note}", err=True)
    _name(done.bad)
    if any(not line.again for line in done.bad):
        raise typer.Exit(3)


def _name(bad: "Sequence[BadLine]") -> None:
    for line in bad[:_NAMED_MOST]:
        kind = "note" if line.again else "skipped"
        typer.echo(_printable(f"{line.file}:{line.number}: {kind}: {line.reason}"), err=True)
    if len(bad) > _NAMED_MOST:
        typer.echo(f"and {len(bad) - _NAMED_MOST} more lines", err=True)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)

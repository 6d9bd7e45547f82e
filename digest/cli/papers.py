"""`digest papers`: what came in, with its trend."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Now, open_app
from digest.cli.output import Json, Limit, emit_json, fields, instant, table

if TYPE_CHECKING:
    from digest.domain.papers import Signal
    from digest.services.library import Library, ListedPaper

papers = typer.Typer(
    no_args_is_help=True,
    help="What came in, with its trend.\n\nExample: digest papers search 'continual learning'",
)


@papers.command("list")
def list_(limit: Limit = 50, as_json: Json = False, now: Now = None) -> None:
    """The papers last seen first, with their trend.

    Example: digest papers list --limit 20
    """
    _show(_library(now).recent(limit), as_json)


@papers.command("search")
def search(
    text: Annotated[str, typer.Argument(help="Words that stand in the title or the abstract.")],
    limit: Limit = 50,
    as_json: Json = False,
    now: Now = None,
) -> None:
    """Papers that contain a text.

    Example: digest papers search 'continual learning'
    """
    _show(_library(now).search(text, limit), as_json)


@papers.command("show")
def show(
    paper: Annotated[str, typer.Argument(help="Its number, arXiv id, DOI or address.")],
    as_json: Json = False,
    now: Now = None,
) -> None:
    """Everything about one paper.

    Example: digest papers show 2603.01234
    """
    found = _library(now).one(paper)
    if as_json:
        emit_json([_object(found)])
        return
    fields(_pairs(found))


def _library(now: Now) -> "Library":
    from digest.services.library import Library

    app = open_app(now)
    return Library(app.engine, app.clock())


def _show(found: Sequence["ListedPaper"], as_json: bool) -> None:
    if as_json:
        emit_json(_object(listed) for listed in found)
        return
    rows = (
        (
            listed.paper.id,
            f"{listed.trend.score:.2f}",
            "" if listed.trend.upvotes is None else listed.trend.upvotes,
            listed.paper.first_seen_at.date(),
            listed.paper.title,
        )
        for listed in found
    )
    table(("id", "trend", "upvotes", "seen", "title"), rows, empty="no papers")


def _pairs(listed: "ListedPaper") -> list[tuple[str, object]]:
    item = _object(listed)
    pairs: list[tuple[str, object]] = []
    for name, value in item.items():
        if name == "signals":
            pairs += [("signal", _signal_line(signal)) for signal in listed.signals]
        elif name == "links":
            pairs += list(value.items())
        elif isinstance(value, list):
            pairs.append((name, ", ".join(str(part) for part in value)))
        else:
            pairs.append((name, value))
    return pairs


def _object(listed: "ListedPaper") -> dict[str, Any]:
    paper, links = listed.paper, listed.paper.links
    named = {"pdf": links.pdf, "code": links.code, "project": links.project}
    return {
        "id": paper.id,
        "title": paper.title,
        "abstract": paper.abstract,
        "authors": list(paper.authors),
        "categories": list(paper.categories),
        "url": paper.url,
        "published_on": paper.published_on,
        "first_seen_at": instant(paper.first_seen_at),
        "trend": round(listed.trend.score, 4),
        "rising": listed.trend.rising,
        "upvotes": listed.trend.upvotes,
        "venue": paper.venue,
        "tldr": paper.tldr,
        "aliases": [f"{alias.scheme.value}:{alias.value}" for alias in listed.aliases],
        "links": {
            name: url for name, url in (named | {"discussion": links.discussion}).items() if url
        },
        "signals": [_signal(signal) for signal in listed.signals],
    }


def _signal(signal: "Signal") -> dict[str, Any]:
    return {
        "source": signal.source,
        "listed_on": signal.listed_on,
        "read_at": instant(signal.read_at),
        "held_until": instant(signal.held_until),
        "upvotes": signal.attention.upvotes,
        "comments": signal.attention.comments,
        "stars": signal.attention.stars,
    }


def _signal_line(signal: "Signal") -> str:
    counts = signal.attention
    named = (("upvotes", counts.upvotes), ("comments", counts.comments), ("stars", counts.stars))
    told = ", ".join(f"{count} {name}" for name, count in named if count is not None)
    return f"{instant(signal.read_at)} {signal.source}: {told or 'listed'}"

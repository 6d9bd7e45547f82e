"""`digest backtest`: what the last days would have brought."""

import shutil
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Now, open_app
from digest.cli.output import Json, emit_json, instant, note, progress, say

if TYPE_CHECKING:
    from digest.domain.digests import Pick
    from digest.services.backtest import Backtest, BacktestDay

WIDEST = 100
INDENT = " " * 6

_SKIPS = {"no_papers": "nothing unsent", "no_matches": "no match", "late": "slept past"}


def backtest(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="A subscriber's address.")],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many days back.")] = 7,
    max_papers: Annotated[
        int | None,
        typer.Option("--max-papers", min=1, max=50, help="In place of what they chose."),
    ] = None,
    as_json: Json = False,
    now: Now = None,
) -> None:
    """What the last days would have brought a subscriber; nothing is written.

    Each day as it stood at their hour, and no paper twice within the backtest. Example: digest
    backtest you@example.com --days 14
    """
    from digest.services.backtest import Terms
    from digest.services.backtest import backtest as run

    app = open_app(now, dry_run=True)
    ranking = app.settings.ranking
    terms = Terms(
        lookback_days=ranking.lookback_days,
        threshold=ranking.threshold,
        beyond=ranking.beyond,
        tier=ranking.tier,
        max_papers=max_papers,
    )
    with progress("composing", days) as step:
        done = run(app.engine, email, days, app.clock(), terms, each=lambda _day: step(1))
    if as_json:
        emit_json(_object(day, done) for day in done.days)
        return
    for line in _lines(done):
        say(line)
    if done.days and not done.days[0].considered:
        note("days before the store's first fetch stay empty: a paper counts from when it came")


def _lines(done: "Backtest") -> Iterator[str]:
    width = min(shutil.get_terminal_size().columns, WIDEST)
    for _, days in groupby(done.days, lambda day: day.digest_on if day.picks else _told(day)):
        first, *more = days
        until = f" to {more[-1].digest_on:%a %Y-%m-%d}" if more else ""
        yield f"{first.digest_on:%a %Y-%m-%d}{until}  {_told(first)}"
        for pick in _picks(first):
            yield from _pick_lines(pick, done.papers[pick.paper_id].title, width)
        if first.picks:
            yield ""
    yield from _summary(done, width)


def _told(day: "BacktestDay") -> str:
    """What the day brought; days in a row of which the same is told share a line."""
    from digest.domain.digests import Digest

    content = day.content
    if isinstance(content, Digest):
        told = f"{day.picks} of {_count(day.considered, 'paper')}"
        return told + (": nothing matched, so the trending ones" if content.trending_only else "")
    if not day.considered:
        return "no mail: no papers"
    return f"no mail: {_SKIPS[content.reason.value]} of {_count(day.considered, 'paper')}"


def _pick_lines(pick: "Pick", title: str, width: int) -> Iterator[str]:
    """Score and title, then the reason below it."""
    from digest.domain.digests import reason_sentence

    head = f" {pick.score:.2f} " if pick.score else "    – "  # trending beyond the interests
    yield from textwrap.wrap(
        title, width, initial_indent=head, subsequent_indent=INDENT, max_lines=2, placeholder=" …"
    )
    yield from textwrap.wrap(
        reason_sentence(pick.reason), width, initial_indent=INDENT, subsequent_indent=INDENT
    )


def _summary(done: "Backtest", width: int) -> Iterator[str]:
    from digest.domain.interests import written
    from digest.services.backtest import brought, wanted

    if not done.days:
        yield f"{done.subscriber.email}: none of these days is one of theirs"
        return
    papers = sum(day.picks for day in done.days)
    empty = sum(not day.picks for day in done.days)
    yield (
        f"{_count(len(done.days), 'day')}, {_count(papers, 'paper')}"
        f" ({papers / len(done.days):.1f} a day), {_count(empty, 'day')} without mail"
    )
    for interest in wanted(done.subscriber):
        matched = sum(interest in day.matched for day in done.days)
        picked = sum(brought(interest, pick.reason) for day in done.days for pick in _picks(day))
        told = (
            f"{_count(picked, 'paper')}, matched on {_count(matched, 'day')}"
            if matched
            else "never matched"
        )
        yield from textwrap.wrap(
            f"{written(interest)}: {told}", width, initial_indent="  ", subsequent_indent=INDENT
        )


def _picks(day: "BacktestDay") -> "tuple[Pick, ...]":
    from digest.domain.digests import Digest

    return day.content.picks if isinstance(day.content, Digest) else ()


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number != 1 else ''}"


def _object(day: "BacktestDay", done: "Backtest") -> dict[str, Any]:
    from digest.domain.digests import Digest
    from digest.domain.interests import written

    content = day.content
    return {
        "digest_on": day.digest_on,
        "at": instant(day.at),
        "considered": day.considered,
        "skipped": None if isinstance(content, Digest) else content.reason.value,
        "trending_only": isinstance(content, Digest) and content.trending_only,
        "matched": [written(interest) for interest in day.matched],
        "papers": [_pick(pick, done) for pick in _picks(day)],
    }


def _pick(pick: "Pick", done: "Backtest") -> dict[str, Any]:
    from digest.domain.digests import reason_sentence

    return {
        "id": pick.paper_id,
        "title": done.papers[pick.paper_id].title,
        "score": round(pick.score, 4),
        "relevance": round(pick.relevance, 4),
        "trend": round(pick.trend, 4),
        "interest": pick.reason.interest,
        "reason": reason_sentence(pick.reason),
    }

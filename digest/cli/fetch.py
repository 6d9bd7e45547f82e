"""`digest fetch` and `digest sources`: pull batches, and see how the sources fare."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.context import Day, Exit, Now, finish, open_app
from digest.cli.output import DryRun, Json, Limit, emit_json, fail, instant, note, say, table
from digest.domain.papers import SourceKind
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.app import App
    from digest.services.collect import Collected
    from digest.sources.reader import SourceSpec

sources = typer.Typer(
    no_args_is_help=True,
    help="Where papers come from.\n\nExample: digest sources check",
)

FORMATS = (*(kind.value for kind in SourceKind), "hf-json")
SHOWN_REJECTED = 20


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]…", help="Sources; all when none is named."),
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", help="Read a file in place of a source; repeatable."),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="Of --file or --url: " + ", ".join(FORMATS) + ".")
    ] = "",
    url: Annotated[
        str, typer.Option("--url", help="Fetch this address in place of a source.")
    ] = "",
    day: Day = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    now: Now = None,
) -> None:
    """Pull new papers from the sources, or from a file.

    Example: digest fetch · digest fetch --file page.txt --format page --date 2026-03-12
    """
    _check_usage(names or [], file or [], form, url)
    app = open_app(now)
    if file:
        done = _fetch_files(app, file, form, day, dry_run, quiet=as_json)
    else:
        specs = [_spec_of(url, form)] if url else _specs(app, names or [])
        done = _fetch_live(app, specs, day, dry_run, quiet=as_json)
    _report(done, as_json, dry_run)


@sources.command("list")
def list_(as_json: Json = False, limit: Limit = 50) -> None:
    """The configured sources and how they fared last.

    Example: digest sources list
    """
    from digest.services.collect import source_states

    app = open_app()
    states = source_states(app.engine, app.sources)[: limit or None]
    if as_json:
        emit_json(
            {
                "name": s.name,
                "kind": s.kind,
                "place": s.place,
                "last_outcome": s.last_outcome,
                "last_note": s.last_note,
                "last_fetch_at": instant(s.last_fetch_at),
                "last_papers_at": instant(s.last_papers_at),
                "configured": s.configured,
            }
            for s in states
        )
        return
    rows = (
        (
            s.name,
            s.kind,
            _minutes(s.last_fetch_at),
            s.last_outcome or "never asked",
            s.last_note or s.place,
        )
        for s in states
    )
    table(("name", "kind", "asked", "outcome", "place or note"), rows, empty="no sources")


@sources.command("check")
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]…", help="Sources; all when none is named."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask each source now, and keep nothing.

    Example: digest sources check huggingface
    """
    app = open_app()
    _report(_fetch_live(app, _specs(app, names or []), None, True, quiet=as_json), as_json, True)


def _check_usage(names: list[str], files: list[Path], form: str, url: str) -> None:
    if sum(map(bool, (names, files, url))) > 1:
        raise UsageError("name sources, or give --file, or give --url: one of the three")
    if (files or url) and form not in FORMATS:
        raise UsageError(f"--format {form or '(missing)'}: give one of {', '.join(FORMATS)}")
    if form and not (files or url):
        raise UsageError("--format goes with --file or --url")


def _specs(app: "App", names: list[str]) -> list["SourceSpec"]:
    known = {planned.spec.name: planned.spec for planned in app.sources}
    for name in names:
        if name not in known:
            raise UsageError(f"no source {name!r}: configured are {', '.join(known) or 'none'}")
    if not known:
        raise UsageError("no source is configured: add [[sources]] to config.toml, or give --file")
    return [known[name] for name in names] or list(known.values())


def _spec_of(url: str, form: str) -> "SourceSpec":
    from digest.sources.reader import SourceSpec

    kind = SourceKind.HUGGINGFACE if form == "hf-json" else SourceKind(form)
    return SourceSpec(name=f"url:{kind.value}", kind=kind, url=url, path=None)


def _fetch_live(
    app: "App", specs: list["SourceSpec"], day: Day, dry_run: bool, *, quiet: bool
) -> list["Collected"]:
    from digest.services.collect import collect

    each = (lambda _done: None) if quiet else _line
    return collect(app.engine, specs, app.http, app.clock, day=day, dry_run=dry_run, each=each)


def _fetch_files(
    app: "App", files: list[Path], form: str, day: Day, dry_run: bool, *, quiet: bool
) -> list["Collected"]:
    from digest.services.collect import collect_file

    done = []
    for path in files:
        if not path.is_file():
            raise UsageError(f"{path} is no file" if path.exists() else f"{path} does not exist")
        done.append(collect_file(app.engine, path, form, app.clock(), day=day, dry_run=dry_run))
        if not quiet:
            _line(done[-1])
    return done


def _report(done: list["Collected"], as_json: bool, dry_run: bool) -> None:
    if as_json:
        emit_json(map(_object, done))
    for collected in done:
        if as_json and collected.failed:
            fail(f"{collected.source}: {collected.outcome.value}: {collected.note}")
        for rejected in collected.rejected[:SHOWN_REJECTED]:
            note(f"{collected.source}: {rejected.where}: {rejected.reason}")
        if len(collected.rejected) > SHOWN_REJECTED:
            note(f"{collected.source}: and {len(collected.rejected) - SHOWN_REJECTED} more")
    if dry_run and not as_json:
        say("nothing was kept")
    finish(_code(done))


def _code(done: list["Collected"]) -> Exit:
    if not any(collected.went_wrong for collected in done):
        return Exit.DONE
    all_failed = all(collected.failed for collected in done)
    return Exit.FAILED if all_failed else Exit.PARTLY


def _line(collected: "Collected") -> None:
    counts = f"{collected.listed} listed, {collected.new} new, {collected.known} known"
    if collected.rejected:
        counts += f", {len(collected.rejected)} rejected"
    told = f"{collected.source}: {collected.outcome.value}"
    parts = [told] + ([counts] if collected.listed or collected.rejected else [])
    (note if collected.failed else say)(
        " · ".join(parts + ([collected.note] if collected.note else []))
    )


def _object(collected: "Collected") -> dict[str, Any]:
    return {
        "source": collected.source,
        "outcome": collected.outcome.value,
        "note": collected.note,
        "listed": collected.listed,
        "new": collected.new,
        "known": collected.known,
        "rejected": [{"where": r.where, "reason": r.reason} for r in collected.rejected],
    }


def _minutes(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if value else ""

"""`digest doctor`: what is wrong, and how to mend it."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.context import Exit, config_path, finish
from digest.cli.output import Json, emit_json, note, printable
from digest.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from digest.domain.checkup import Area, Finding

WIDTH = 80
LEVEL, AREA = 7, 8
INDENT = LEVEL + AREA + 2
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "unknown": "cyan"}


def doctor(
    areas: Annotated[
        list[str] | None,
        typer.Option("--area", help="Look at this alone; repeatable. See the areas below."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody outside this host and the store.")
    ] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.5, max=600, help="How long each check may take.")
    ] = 5.0,
    as_json: Json = False,
) -> None:
    """Look at everything the service stands on: what is wrong, and how to mend it.

    Nothing is changed and no mail is sent. Areas: config, store, disk, clock, zones, network,
    sources, smtp, dkim, spf, dmarc, ptr, mx, site, web, webhooks. Ends with 1 if something fails.

    Example: digest doctor · digest doctor --area smtp --area dkim · digest doctor --offline --json
    """
    chosen = _areas(areas or [])
    found: list[Finding] = []
    findings = _kept(_examined(chosen, offline=offline, seconds=seconds), found)
    if as_json:
        emit_json(map(_object, findings))
    else:
        for finding in findings:
            _tell(finding)
        note(_summary(found))
    from digest.domain.checkup import any_failed

    finish(Exit.FAILED if any_failed(found) else Exit.DONE)


def _areas(names: list[str]) -> "list[Area]":
    from digest.domain.checkup import Area

    known = set(Area)
    for name in names:
        if name not in known:
            raise UsageError(f"--area {name}: give one of {', '.join(Area)}")
    return [Area(name) for name in names]


def _examined(areas: "list[Area]", *, offline: bool, seconds: float) -> "Iterator[Finding]":
    from digest import checkup_parts
    from digest.services.doctor import examine, plan
    from digest.settings import load

    def clock() -> datetime:
        return datetime.now(UTC)

    try:
        loaded = load(config_path())
    except ConfigError as exc:
        yield from checkup_parts.without_config(str(exc), areas)
        return
    checkup = checkup_parts.checkup(loaded, clock)
    http = loaded.settings.http
    world = checkup_parts.world(
        http.contact or checkup.sender.address,
        clock,
        offline=offline,
        deadline_s=seconds,
        allow_private=http.allow_private,
    )
    yield from examine(plan(checkup, world, areas), seconds, checkup.secrets)


def _kept(findings: "Iterable[Finding]", found: "list[Finding]") -> "Iterator[Finding]":
    for finding in findings:
        found.append(finding)
        yield finding


def _object(finding: "Finding") -> dict[str, str]:
    return {
        "area": finding.area.value,
        "name": finding.name,
        "level": finding.level.value,
        "text": finding.text,
        "mend": finding.mend,
    }


def _tell(finding: "Finding") -> None:
    """Level, area, and what was found in at most 80 columns; the mend on lines of its own."""
    lines = _wrapped(f"{finding.name}: {finding.text}", WIDTH - INDENT)
    if finding.mend:
        first, *rest = _wrapped(finding.mend, WIDTH - INDENT - 2)
        lines += [f"→ {first}", *(f"  {line}" for line in rest)]
    begin, *others = lines
    sys.stdout.write(f"{_painted(finding.level)} {finding.area:<{AREA}} {begin}\n")
    for line in others:
        sys.stdout.write(" " * INDENT + line + "\n")


def _wrapped(text: str, room: int) -> list[str]:
    """In lines of so many cells; a word that is longer than a line is cut."""
    from rich.console import Console
    from rich.text import Text

    found = Text(printable(text)).wrap(Console(width=room), room)
    return [line.plain.rstrip() for line in found] or [""]


def _painted(level: str) -> str:
    """The level, in its colour on a terminal."""
    padded = f"{level:<{LEVEL}}"
    return typer.style(padded, fg=_COLOURS[level]) if sys.stdout.isatty() else padded


def _summary(found: "list[Finding]") -> str:
    counts = {level: sum(one.level == level for one in found) for level in _COLOURS}
    told = [f"{count} {level}" for level, count in counts.items() if count]
    return ", ".join(told) or "nothing was looked at"

"""Each source, asked as the daemon asks it; nothing is kept."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from digest.domain.checkup import Area, Finding, fail, ok, unknown, warn
from digest.domain.papers import Batch, Outcome
from digest.services.doctor.model import Check, Checkup, NotAsked, World
from digest.sources.pacing import ARXIV_SPACING_S
from digest.sources.reader import DEFAULT_URLS, SourceSpec, read

# A source may have several pages, and hosts are asked one at a time, with pauses between.
SEVERAL_PAGES = timedelta(seconds=10)


def checks(checkup: Checkup, world: World) -> list[Check]:
    """A check for each source."""
    if not checkup.sources:
        return [Check(area=Area.SOURCES, name="none", run=_none)]
    before: Counter[str] = Counter()
    found = []
    for spec in checkup.sources:
        turn = timedelta(seconds=ARXIV_SPACING_S + 1) * before[_lane(spec)]
        before[_lane(spec)] += 1
        run = partial(_source, spec, world)
        found.append(Check(area=Area.SOURCES, name=spec.name, run=run, extra=SEVERAL_PAGES + turn))
    return found


def _none() -> Iterator[Finding]:
    yield warn(Area.SOURCES, "none", "no source is configured", "add [[sources]] to config.toml")


def _lane(spec: SourceSpec) -> str:
    host = urlsplit(spec.url or DEFAULT_URLS.get(spec.kind, "")).hostname or ""
    return ".".join(host.split(".")[-2:])


def _source(spec: SourceSpec, world: World) -> Iterator[Finding]:
    if world.offline and not spec.path:
        raise NotAsked("not asked: --offline")
    batch = read(spec, world.http, now=world.clock())
    yield _told(spec, batch, world)


def _told(spec: SourceSpec, batch: Batch, world: World) -> Finding:
    area, name, check = Area.SOURCES, spec.name, f"digest sources check {spec.name}"
    match batch.outcome:
        case Outcome.FAULT if not spec.path and not world.dns.is_up:
            return unknown(area, name, batch.note, f"with network, run '{check}'")
        case Outcome.FAULT:
            mend = f"correct its address in config.toml, then run '{check}'"
            return fail(area, name, batch.note, mend)
        case Outcome.BROKEN:
            mend = "correct its kind or address; if the site has changed, update this program"
            return fail(area, name, batch.note, mend)
        case Outcome.EMPTY:
            return warn(area, name, "answers, without any paper", f"look again: '{check}'")
        case Outcome.PAPERS if batch.rejected:
            text = f"{len(batch.listings)} papers, {len(batch.rejected)} entries cannot be read"
            return warn(area, name, text, f"see which: '{check}'")
        case Outcome.PAPERS:
            return ok(area, name, f"{len(batch.listings)} papers")
        case _:
            return ok(area, name, batch.note or batch.outcome.value)

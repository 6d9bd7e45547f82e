"""This host: its disks, its clock, its zone data, its network."""

import shutil
from collections.abc import Iterator
from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from zoneinfo import TZPATH

from digest.domain.checkup import (
    Area,
    Finding,
    Level,
    judged,
    ok,
    skew,
    space,
    unknown,
    warn,
)
from digest.services.doctor.model import Check, Checkup, World
from digest.services.doctor.web import NoAnswer
from digest.sources.reader import DEFAULT_URLS

GIGABYTE = 1_000_000_000


def checks(checkup: Checkup, world: World) -> list[Check]:
    """The host's checks."""
    return [
        Check(area=Area.DISK, name="free", run=partial(_disk, checkup)),
        Check(area=Area.CLOCK, name="kernel", run=partial(_kernel, world)),
        Check(area=Area.CLOCK, name="web", run=partial(_web_clock, checkup, world)),
        Check(area=Area.ZONES, name="data", run=partial(_zones, TZPATH, world)),
        Check(area=Area.NETWORK, name="dns", run=partial(_network, world)),
    ]


def _disk(checkup: Checkup) -> Iterator[Finding]:
    path = checkup.store.path
    if path and path.is_file():
        folder, size = path.parent, _size(path)
    else:
        folder, size = checkup.config.secrets_file.parent, 0
    usage = shutil.disk_usage(folder)
    text = f"{_gigabytes(usage.free)} of {_gigabytes(usage.total)} free at {folder}"
    if size:
        text += f"; the store takes {_gigabytes(size)}"
    mend = "make room: a backup needs as much as the store, and a full disk stops all mail"
    yield judged(Area.DISK, "free", space(usage.free, size), text, mend)


def _size(path: Path) -> int:
    """The store with what SQLite keeps beside it."""
    parts = (path, path.with_name(path.name + "-wal"))
    return sum(part.stat().st_size for part in parts if part.is_file())


def _gigabytes(size: int) -> str:
    return f"{size / GIGABYTE:.1f} GB" if size >= GIGABYTE / 10 else f"{size / 1e6:.1f} MB"


def _kernel(world: World) -> Iterator[Finding]:
    kept = world.synchronised()
    if kept is None:
        yield unknown(Area.CLOCK, "kernel", "this system does not say whether NTP keeps it right")
        return
    yield judged(
        Area.CLOCK,
        "kernel",
        Level.OK if kept else Level.WARN,
        "kept right by NTP" if kept else "nothing keeps this host's clock right",
        "run 'timedatectl set-ntp true'; within a container, on its host",
    )


def _web_clock(checkup: Checkup, world: World) -> Iterator[Finding]:
    """Against the clocks of the sources' web servers, which tell whole seconds."""
    live = [one.url or DEFAULT_URLS.get(one.kind, "") for one in checkup.sources if not one.path]
    if not live:
        return
    world.require_network()
    for url in dict.fromkeys(filter(None, live)):
        try:
            answer = world.web.ask(url, "HEAD")
        except NoAnswer:
            continue
        if answer.date is None:
            continue
        seconds = (answer.date - world.clock()).total_seconds()
        text = f"a source's web server is {abs(seconds):.0f} s {_side(seconds)}"
        mend = "set this host's clock: 'timedatectl set-ntp true'"
        yield judged(Area.CLOCK, "web", skew(answer.date - world.clock()), text, mend)
        return
    yield unknown(Area.CLOCK, "web", "no source's web server told the time")


def _side(seconds: float) -> str:
    return "ahead of us" if seconds >= 0 else "behind us"


def _zones(folders: tuple[str, ...], world: World) -> Iterator[Finding]:
    """Python takes the system's zone data first and the package tzdata where there is none."""
    ours = _version_in(resources.files("tzdata").joinpath("zoneinfo"))
    system = next(filter(None, (_version_in(Path(folder)) for folder in folders)), "")
    text = f"version {system} of the system" if system else f"version {ours} of the package tzdata"
    if system and system < ours:
        mend = "upgrade the system's tzdata, or set PYTHONTZPATH= (empty) for the service"
        yield warn(Area.ZONES, "data", f"{text}; the package tzdata has {ours}", mend)
        return
    year = (system or ours)[:4]
    if year.isdecimal() and int(year) < world.clock().year - 1:
        yield warn(Area.ZONES, "data", f"{text} is old", "run 'pip install -U tzdata'")
        return
    yield ok(Area.ZONES, "data", text)


def _version_in(folder: Traversable) -> str:
    """The IANA version of a folder of zones, such as 2026a; empty where it does not say."""
    try:
        with folder.joinpath("tzdata.zi").open("r", encoding="ascii", errors="replace") as file:
            first = file.readline(80)
    except OSError:
        return ""
    return first.removeprefix("# version ").strip() if first.startswith("# version ") else ""


def _network(world: World) -> Iterator[Finding]:
    if world.offline:
        yield unknown(Area.NETWORK, "dns", "not asked: --offline")
    elif world.dns.is_up:
        yield ok(Area.NETWORK, "dns", "the name servers answer")
    else:
        text = "no name server answers for the world: what needs it is not known"
        mend = "check the cable, the firewall and /etc/resolv.conf"
        yield warn(Area.NETWORK, "dns", text, mend)

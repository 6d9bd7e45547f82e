"""The store: reached, of our schema, writable, sound, and its server's version and clock."""

import os
from collections.abc import Iterator
from functools import partial

from sqlalchemy import Engine

from digest.domain.checkup import (
    STORE_SKEW_MOST,
    STORE_SKEW_NOTED,
    Area,
    Finding,
    Level,
    fail,
    judged,
    ok,
    skew,
    unknown,
    warn,
)
from digest.domain.schedule import zone
from digest.errors import DigestError, InvalidInput, SchemaMismatch, StoreError
from digest.services.doctor.model import Check, Checkup, StoreFacts, World
from digest.store import checks as look
from digest.store import schema
from digest.store.database import clock_ahead
from digest.store.version import newer

# The oldest that still gets fixes is 15 (PostgreSQL's versioning policy: five years each).
SERVER_LEAST = 150_000
ZONES_SHOWN = 5
NUMBERS_MOST = 0.75
UNASKED, MEND_STORE = "the store cannot be asked", "mend the store first: --area store"


def checks(checkup: Checkup, world: World) -> list[Check]:
    """The store's checks, and that the zones of its subscribers are known."""
    facts = checkup.store
    silent = fail(Area.STORE, "reachable", f"{facts.name} gave no answer in time", _reach(facts))
    return [
        Check(area=Area.STORE, name="store", run=partial(_store, facts), late=silent),
        Check(area=Area.CLOCK, name="store", run=partial(_clock, facts, world)),
        Check(area=Area.ZONES, name="subscribers", run=partial(_zones, facts)),
    ]


def _store(facts: StoreFacts) -> Iterator[Finding]:
    if _is_missing(facts):
        text = f"there is no store yet at {facts.name}"
        yield fail(Area.STORE, "reachable", text, "run 'digest init'")
        return
    engine = facts.engine()
    try:
        schema.require_known(engine)
    except SchemaMismatch as exc:
        text, _, mend = str(exc).rpartition(": ")
        yield fail(Area.STORE, "schema", text or str(exc), mend)
        return
    except StoreError as exc:
        yield _failed("reachable", exc, _reach(facts))
        return
    yield ok(Area.STORE, "reachable", facts.name)
    yield _schema(newer(engine))
    yield _writable(engine, facts)
    yield _sound(engine) if facts.path else _version(engine)
    if (used := look.numbers_used(engine)) > NUMBERS_MOST:
        text = f"{used:.0%} of the numbers that deliveries can have are used"
        yield warn(Area.STORE, "numbers", text, "plan a pause for wider ones: docs/retention.md")


def _failed(name: str, exc: StoreError, otherwise: str) -> Finding:
    """The store's own advice stands behind what the engine said, in brackets."""
    text, found, mend = str(exc).partition("): ")
    return fail(Area.STORE, name, f"{text})" if found else text, mend if found else otherwise)


def _is_missing(facts: StoreFacts) -> bool:
    """Opening a store would make its folder, and a check-up leaves no trace."""
    return facts.path is not None and not facts.path.exists()


def _reach(facts: StoreFacts) -> str:
    if facts.path:
        return "restore a backup, or correct store.url"
    return "start PostgreSQL, and check host, name and password in store.url"


def _schema(newer: str | None) -> Finding:
    if newer is None:
        return ok(Area.STORE, "schema", f"{schema.head()}, the newest")
    text = f"{newer}, of a newer version; this one knows up to {schema.head()} and can go on"
    return warn(Area.STORE, "schema", text, "install the newer version on this host too")


def _writable(engine: Engine, facts: StoreFacts) -> Finding:
    try:
        look.try_writing(engine)
    except StoreError as exc:
        mend = "run as the user whom the service runs as, and give it the store"
        return _failed("writable", exc, mend)
    if facts.path and os.geteuid() == 0 and (owner := facts.path.stat().st_uid) != 0:
        text = "root may write, which says nothing about the user of the service"
        return warn(Area.STORE, "writable", text, f"run 'sudo -u #{owner} digest doctor'")
    return ok(Area.STORE, "writable", "yes")


def _sound(engine: Engine) -> Finding:
    found = look.quick_check(engine)
    if not found:
        return ok(Area.STORE, "sound", "SQLite's quick_check finds nothing")
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return fail(Area.STORE, "sound", found[0] + more, "stop the service and restore a backup")


def _version(engine: Engine) -> Finding:
    version = look.server_version(engine)
    return judged(
        Area.STORE,
        "version",
        Level.OK if version >= SERVER_LEAST else Level.WARN,
        f"PostgreSQL {version // 10_000}.{version % 10_000}",
        f"upgrade the server to PostgreSQL {SERVER_LEAST // 10_000} or later",
    )


def _clock(facts: StoreFacts, world: World) -> Iterator[Finding]:
    if facts.path:
        return
    try:
        ahead = clock_ahead(facts.engine(), world.clock)
    except DigestError:
        yield unknown(Area.CLOCK, "store", UNASKED, MEND_STORE)
        return
    seconds = ahead.total_seconds()
    yield judged(
        Area.CLOCK,
        "store",
        skew(ahead, STORE_SKEW_NOTED, STORE_SKEW_MOST),
        f"the store's clock is {abs(seconds):.1f} s {'ahead' if seconds >= 0 else 'behind'}",
        "keep both hosts on NTP: 'timedatectl set-ntp true'",
    )


def _zones(facts: StoreFacts) -> Iterator[Finding]:
    if _is_missing(facts):
        yield unknown(Area.ZONES, "subscribers", "there is no store yet", "run 'digest init'")
        return
    try:
        engine = facts.engine()
        schema.require_known(engine)
        names = look.zones_in_use(engine)
    except DigestError:
        yield unknown(Area.ZONES, "subscribers", UNASKED, MEND_STORE)
        return
    strange = [name for name in names if not _is_known(name)]
    if strange:
        text = f"unknown here, so who chose them gets no digest: {', '.join(strange[:ZONES_SHOWN])}"
        mend = "bring the zone data up to date: pip install -U tzdata"
        yield fail(Area.ZONES, "subscribers", text, mend)
        return
    yield ok(Area.ZONES, "subscribers", f"all {len(names)} zones of subscribers are known")


def _is_known(name: str) -> bool:
    try:
        zone(name)
    except InvalidInput:
        return False
    return True

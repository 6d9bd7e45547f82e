"""The config: which file, who may read the secrets, what must be set."""

import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from digest.domain.checkup import Area, Finding, Level, fail, judged, ok, warn
from digest.services.doctor.model import Check, Checkup, ConfigFacts, World

OTHERS = 0o077


def checks(checkup: Checkup, _world: World) -> list[Check]:
    """The config's checks."""
    return [Check(area=Area.CONFIG, name="file", run=partial(_config, checkup))]


def _config(checkup: Checkup) -> Iterator[Finding]:
    facts = checkup.config
    yield _file(facts)
    for text in facts.warnings:
        wrong, _, mend = text.rpartition(": ")
        yield warn(Area.CONFIG, "secrets", wrong, mend)
    yield _secrets_file(facts.secrets_file)
    shared = checkup.store.is_shared
    yield _set("secret_keys", facts.has_keys, shared)
    yield _set("pepper", facts.has_pepper, shared)
    yield _sender(checkup.sender.address)


def _file(facts: ConfigFacts) -> Finding:
    if facts.config_file is None:
        return warn(
            Area.CONFIG, "file", "no config file: all settings are defaults", "run 'digest init'"
        )
    return ok(Area.CONFIG, "file", f"{facts.config_file} loads, every key is known")


def _secrets_file(path: Path) -> Finding:
    if not path.is_file():
        return ok(Area.CONFIG, "secrets", "no secrets file")
    open_to_others = path.stat().st_mode & OTHERS
    return judged(
        Area.CONFIG,
        "secrets",
        Level.WARN if open_to_others else Level.OK,
        f"{path} can be read by {'others than its owner' if open_to_others else 'its owner alone'}",
        f"run 'chmod 600 {shlex.quote(str(path))}'",
    )


def _set(name: str, is_set: bool, shared: bool) -> Finding:
    """On several hosts each would make up its own, and refuse the links of the others."""
    if is_set:
        return ok(Area.CONFIG, name, "set")
    mend = "run 'digest init', and give every host the same"
    if shared:
        return fail(Area.CONFIG, name, "not set, and each host would make up its own", mend)
    return warn(Area.CONFIG, name, "not set: made up when first needed", "run 'digest init'")


def _sender(address: str) -> Finding:
    if address:
        return ok(Area.CONFIG, "sender", f"mails come from {address}")
    return fail(
        Area.CONFIG,
        "sender",
        "sender.address is not set: nothing can be sent",
        "set sender.address to the address the mails come from",
    )

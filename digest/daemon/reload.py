"""SIGHUP: the settings are read anew, and hold from the next tick on, where nothing is wrong."""

import structlog
from pydantic import BaseModel

from digest.app import App
from digest.errors import DigestError
from digest.logs import configure
from digest.settings import Settings, all_keys, load

log = structlog.get_logger("digest.daemon")

# taken once, at the start: a port, and what stands behind every connection to the store
AT_START = ("store.url", "web.host", "web.port", "web.metrics_port")


def reread(app: App) -> App:
    """The app over the settings as files and environment have them now, on the same store.

    The old one where they are wrong: the reason goes to the log. So do the names of what changed,
    and of what needs a restart.
    """
    try:
        fresh = app.renewed(load(app.loaded.config_file))
        fresh.check()
    except DigestError as exc:
        log.error("settings are wrong, the old ones stay in force", error=str(exc))  # noqa: TRY400
        return app
    for warning in fresh.loaded.warnings:
        log.warning(warning)
    names = changed(app.settings, fresh.settings)
    log.info("settings read again", changed=[name for name in names if name not in AT_START])
    if waiting := [name for name in names if name in AT_START]:
        log.warning("these settings need a restart", settings=waiting)
    configure(fresh.settings.log.level, fresh.settings.log.format)
    return fresh


def changed(old: Settings, new: Settings) -> list[str]:
    """The dotted names of the settings that differ; never their values, which may be secrets."""
    names = [name for name, _ in all_keys()]
    return [name for name in names if _value(old, name) != _value(new, name)]


def _value(settings: BaseModel, name: str) -> object:
    found: object = settings
    for part in name.split("."):
        found = getattr(found, part)
    return found

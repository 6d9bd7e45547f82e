"""Where settings come from: the files, the environment, and which of them wins."""

import fcntl
import json
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from pydantic import ValidationError

from digest.errors import ConfigError
from digest.settings.base import masked
from digest.settings.sections import PREFIX, Settings, all_keys, variable

CONFIG_VARIABLE = "DIGEST_CONFIG"
CONFIG_NAME = "config.toml"
# variables of the same prefix that are no settings
_NOT_SETTINGS = (CONFIG_VARIABLE, "DIGEST_FAULT", "DIGEST_TEST_")


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """The settings, the folder that their relative paths start from, and what to warn of."""

    settings: Settings
    base: Path
    config_file: Path | None
    warnings: tuple[str, ...] = ()

    def path(self, text: str) -> Path:
        """A path of the settings: relative ones start at the config file's folder."""
        return self.base / Path(text).expanduser()

    def file(self, text: str) -> Path | None:
        """The file or folder that a setting names, None where it names none."""
        return self.path(text) if text else None

    @property
    def store_url(self) -> str:
        """`store.url`, with a relative SQLite path made absolute.

        What would be special in a URL is escaped, whatever the folder is called.
        """
        url = self.settings.store.url
        prefix = "sqlite:///"
        if url.startswith(prefix) and not url.startswith(prefix + "/") and ":memory:" not in url:
            path, mark, query = url[len(prefix) :].partition("?")
            return prefix + quote(str(self.path(unquote(path)).resolve())) + mark + query
        return url


def find_config(given: Path | None) -> Path | None:
    """The config file to read: the one given, else ./config.toml, $DIGEST_CONFIG, the XDG folder.

    None where there is none. Raises ConfigError when a file that was asked for by name is missing.
    """
    named = given or (
        Path(os.environ[CONFIG_VARIABLE])
        if os.environ.get(CONFIG_VARIABLE) and not Path(CONFIG_NAME).is_file()
        else None
    )
    if named is not None:
        if not _is_there(named):
            raise ConfigError(f"config file {named} does not exist: run 'digest init' to write one")
        return named
    xdg = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    for path in (Path(CONFIG_NAME), xdg / "digest" / CONFIG_NAME):
        if path.is_file():
            return path
    return None


def load(given: Path | None = None) -> Loaded:
    """Read and check all settings. Raises ConfigError with one line: the key, and the mend."""
    config_file = find_config(given)
    base = (config_file.parent if config_file else Path()).resolve()
    values = _read_toml(config_file) if config_file else {}
    warnings = tuple(_open_secrets(config_file, values)) if config_file else ()
    _refuse_unknown_variables()
    secrets_name = os.environ.get("DIGEST_SECRETS_FILE") or values.get(
        "secrets_file", "secrets.toml"
    )
    values = _merged(values, _read_secrets(base / str(secrets_name)))
    try:
        settings = Settings(**values)
    except ValidationError as exc:
        raise ConfigError(_first_problem(exc, config_file)) from exc
    except ValueError as exc:  # a variable that should hold JSON
        field = re.search(r'field "(\w+)"', str(exc))
        name = _given_as(field[1]) if field else "a DIGEST_ variable"
        raise ConfigError(f"environment: {name}: write it as JSON") from exc
    loaded = Loaded(settings=settings, base=base, config_file=config_file, warnings=warnings)
    _require_files(loaded)
    return loaded


def with_secrets(loaded: Loaded, *, keep: bool = True) -> Loaded:
    """The same settings with `secret_keys` and `pepper` set.

    What is missing is made up once and kept in the secrets file (mode 600), so that links stay
    valid over restarts; with `keep` False it is made up and forgotten. Raises ConfigError when that
    file cannot be written.
    """
    settings = loaded.settings
    if settings.secret_keys and settings.pepper:
        return loaded
    missing: dict[str, Any] = {}
    if not settings.secret_keys:
        missing["secret_keys"] = (secrets.token_urlsafe(32),)
    if not settings.pepper:
        missing["pepper"] = secrets.token_urlsafe(32)
    if keep:
        missing = _kept_secrets(loaded.path(settings.secrets_file), missing)
    return replace(loaded, settings=settings.model_copy(update=missing))


def _require_files(loaded: Loaded) -> None:
    """Raise ConfigError for a file or folder that a setting names and that is not there."""
    settings = loaded.settings
    if settings.smtp.ca_file and not _is_there(loaded.path(settings.smtp.ca_file)):
        named, what = f"smtp.ca_file {settings.smtp.ca_file!r}", "file"
    elif settings.templates.folder and not _is_there(
        loaded.path(settings.templates.folder), Path.is_dir
    ):
        named, what = f"templates.folder {settings.templates.folder!r}", "folder"
    else:
        return
    where = f"{loaded.config_file}: " if loaded.config_file else ""
    raise ConfigError(f"{where}{named} is no {what}: create it, or unset the key")


def _is_there(path: Path, kind: Callable[[Path], bool] = Path.is_file) -> bool:
    """Whether there is such a file; there is none whose name is too long for one."""
    with suppress(OSError):
        return kind(path)
    return False


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}") from exc


def _read_secrets(path: Path) -> dict[str, Any]:
    if not _is_there(path):
        return {}
    if path.stat().st_mode & stat.S_IROTH:
        raise ConfigError(f"secrets_file {path} can be read by everyone: run 'chmod 600 {path}'")
    return _read_toml(path)


def _kept_secrets(path: Path, made: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the secrets just made, or take those that another process kept a moment ago."""
    try:
        with _locked(path):
            known = _read_secrets(path)
            kept = {
                key: tuple(known[key]) if isinstance(value, tuple) else known[key]
                for key, value in made.items()
                if known.get(key)
            }
            fresh = {key: value for key, value in made.items() if key not in kept}
            if fresh:
                _write_secrets(path, fresh)
    except OSError as exc:
        raise ConfigError(
            f"secret_keys and pepper are not set and {path} cannot be written: {exc}; "
            "run 'digest init', or set DIGEST_SECRET_KEYS and DIGEST_PEPPER"
        ) from exc
    return kept | fresh


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time, by a lock on the folder of `path`."""
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_secrets(path: Path, values: Mapping[str, Any]) -> None:
    """Put the values before what the file holds, in one step: it is whole at every moment."""
    lines = [
        f"{key} = {json.dumps(list(value) if isinstance(value, tuple) else value)}\n"
        for key, value in values.items()
    ]
    old = path.read_text("utf-8") if path.is_file() else ""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as sink:
        sink.write("".join(lines) + old)  # bare keys must stand before the first [section]
    beside.replace(path)


def _open_secrets(path: Path, values: Mapping[str, Any]) -> Iterator[str]:
    """Warn of secrets in a config file that everyone can read."""
    held = [key for key in ("secret_keys", "pepper") if values.get(key)]
    for name, key in (("smtp", "password"), ("bounces", "imap_password")):
        section = values.get(name)
        if isinstance(section, dict) and section.get(key):
            held.append(f"{name}.{key}")
    if held and path.stat().st_mode & stat.S_IROTH:
        yield f"{path} holds {', '.join(held)} and can be read by everyone: run 'chmod 600 {path}'"


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(low)
    for key, value in high.items():
        old = both.get(key)
        both[key] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return both


def _refuse_unknown_variables() -> None:
    known = {variable(key) for key, _ in all_keys()} | {variable(n) for n in Settings.model_fields}
    for name in os.environ:
        ours = name.upper().startswith(PREFIX) and not name.startswith(_NOT_SETTINGS)
        if ours and name.upper() not in known:
            raise ConfigError(f"environment: {name} is no setting: see config.example.toml")


def _first_problem(exc: ValidationError, config_file: Path | None) -> str:
    """The first problem as one line: where, which key, what is wrong."""
    problem = exc.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    named = key if key.isprintable() else ascii(key)  # a quoted key may hold line ends
    where = f"{config_file}: " if config_file else ""
    if variable(key) in os.environ:
        where = f"environment: {variable(key)}: "
    elif whole := _whole_of(key):  # which of the two is wrong cannot be told: they were merged
        where = f"environment: {whole}{f', or {config_file}' if config_file else ''}: "
    if problem["type"] == "extra_forbidden":
        return f"{where}{named} is no setting: see config.example.toml for those that are"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:] if not message.startswith("'") else message
    given = problem.get("input")
    shown = ""
    if isinstance(given, str | int | float) and not _is_secret(key):
        shown = f" (given: {masked(given)!r})" if isinstance(given, str) else f" (given: {given!r})"
    more = f"; and {len(exc.errors()) - 1} more" if len(exc.errors()) > 1 else ""
    return f"{where}{named}: {message}{shown}{more}"


def _given_as(section: str) -> str:
    """The variable that gives a section, or the first that gives some part of it as JSON."""
    begin = variable(section)
    found = (key for key, default in all_keys() if isinstance(default, dict))
    parts = [name for key in found if (name := variable(key)).startswith(f"{begin}__")]
    return next((name for name in (begin, *parts) if name in os.environ), begin)


def _whole_of(key: str) -> str:
    """The variable that gives, as JSON, something that holds this key; empty where none does."""
    parts = key.split(".")
    names = (variable(".".join(parts[:count])) for count in range(len(parts) - 1, 0, -1))
    return next((name for name in names if name in os.environ), "")


def _is_secret(key: str) -> bool:
    """Whether the value of a key is or may hold a secret."""
    return key in ("smtp", "bounces", "store", "store.url", "webhooks") or any(
        word in key for word in ("password", "secret_keys", "pepper")
    )

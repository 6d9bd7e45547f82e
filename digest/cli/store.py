"""`digest init` and `digest db`: the config file and the store's schema."""

import json
import os
import secrets
from pathlib import Path

import typer

from digest.cli.context import Exit, config_path, finish, open_app
from digest.cli.output import DryRun, say
from digest.errors import ConfigError
from digest.resources import example_config
from digest.settings import CONFIG_NAME

db = typer.Typer(
    no_args_is_help=True,
    help="The store's schema.\n\nExample: digest db upgrade",
)


def init(dry_run: DryRun = False) -> None:
    """Write config.toml beside you with fresh secrets, and create or upgrade the store.

    What is there already is left as it is. Example: digest init
    """
    path = config_path() or Path(CONFIG_NAME)
    if path.exists():
        say(f"{path} is there already: left as it is")
    elif dry_run:
        say(f"would write {path}")
        say("would create the store")
        return
    else:
        _write_config(path)
        say(f"wrote {path}: set [sender], [site] and [smtp] in it")
    _upgrade(dry_run)


@db.command("upgrade")
def upgrade(dry_run: DryRun = False) -> None:
    """Bring the store to this program's schema.

    Example: digest db upgrade
    """
    _upgrade(dry_run)


@db.command("current")
def current() -> None:
    """Show the store's schema and this program's.

    Example: digest db current
    """
    from digest.store import schema

    app = open_app()
    say(f"store {schema.current(app.raw_engine) or 'empty'}, program {schema.head()}")


@db.command("check")
def check() -> None:
    """Compare the store's tables with the program's.

    Example: digest db check
    """
    from digest.store import schema

    app = open_app()
    schema.require_known(app.raw_engine)
    differences = schema.check(app.raw_engine)
    for difference in differences:
        say(difference)
    if not differences:
        say("the store's tables are as they should be")
    finish(Exit.FAILED if differences else Exit.DONE)


def _upgrade(dry_run: bool) -> None:
    from digest.store import schema

    app = open_app()
    where = app.store_name
    if dry_run:
        before = schema.current(app.raw_engine)
        say(f"would bring the store {where} from {before or 'nothing'} to {schema.head()}")
        return
    before, after = schema.upgrade(app.raw_engine)
    if before == after:
        say(f"store {where} is up to date ({after})")
    else:
        say(f"store {where}: {before or 'new'} → {after}")


def _write_config(path: Path) -> None:
    """The example file with fresh secrets, readable by its owner alone."""
    text = example_config().read_text("utf-8")
    for key, value in (
        ("secret_keys", [secrets.token_urlsafe(32)]),
        ("pepper", secrets.token_urlsafe(32)),
    ):
        empty = f"{key} = {json.dumps([] if isinstance(value, list) else '')}\n"
        text = text.replace(empty, f"{key} = {json.dumps(value)}\n", 1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as sink:
            sink.write(text)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc}") from exc

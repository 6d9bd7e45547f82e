"""`digest init` and `digest db`."""

import stat
import tomllib

import pytest

from digest.store.version import NEWEST
from tests.commands import Desk


def test_init_writes_a_config_with_fresh_secrets_and_makes_the_store(bare_desk: Desk) -> None:
    ended = bare_desk.ok("init")
    path = bare_desk.folder / "config.toml"
    config = tomllib.loads(path.read_text())
    assert len(config["secret_keys"][0]) >= 32
    assert len(config["pepper"]) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (bare_desk.folder / "digest.sqlite3").is_file()
    assert "config.toml" in ended.out


def test_init_again_changes_nothing(bare_desk: Desk) -> None:
    bare_desk.ok("init")
    before = (bare_desk.folder / "config.toml").read_text()
    ended = bare_desk.ok("init")
    assert (bare_desk.folder / "config.toml").read_text() == before
    assert "left as it is" in ended.out
    assert "up to date" in ended.out


def test_init_dry_run_writes_nothing(bare_desk: Desk) -> None:
    bare_desk.ok("init", "--dry-run")
    assert list(bare_desk.folder.iterdir()) == []


def test_two_inits_make_different_secrets(bare_desk: Desk) -> None:
    bare_desk.ok("--config", "one.toml", "init")
    bare_desk.ok("--config", "two.toml", "init")
    one, two = ((bare_desk.folder / name).read_text() for name in ("one.toml", "two.toml"))
    assert one != two


def test_commands_without_a_store_say_what_to_run(bare_desk: Desk) -> None:
    ended = bare_desk.run("papers", "list")
    assert ended.code == 1
    assert "digest init" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_db_check_and_current_agree_after_init(bare_desk: Desk) -> None:
    bare_desk.ok("init")
    assert "as they should be" in bare_desk.ok("db", "check").out
    assert NEWEST in bare_desk.ok("db", "current").out


def test_a_wrong_setting_is_one_line_and_exit_code_2(bare_desk: Desk) -> None:
    bare_desk.write("config.toml", "[smtp]\nhots = 'x'\n")
    ended = bare_desk.run("papers", "list")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "smtp.hots" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("papers", "list", "--wings"),
        ("papers", "list", "--limit", "-1"),
        ("papers", "list", "--limit", "1" + "0" * 20),
        ("papers", "show"),
        ("compose", "--date", "garbage"),
        ("deliveries", "show", "9" * 20),
        ("rank", "--interests", "i.jsonl"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    bare_desk: Desk, arguments: tuple[str, ...]
) -> None:
    ended = bare_desk.run(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1


def test_no_command_shows_the_help(bare_desk: Desk) -> None:
    ended = bare_desk.run()
    assert ended.code == 2
    assert "subscribers" in ended.out + ended.err


def test_every_command_has_help_with_an_example(bare_desk: Desk) -> None:
    pages = [
        ("demo",), ("init",), ("fetch",), ("preview",), ("rank",), ("compose",), ("deliver",),
        ("send",), ("run",), ("stats",), ("db", "upgrade"), ("db", "current"), ("db", "check"),
        ("sources", "list"), ("sources", "check"), ("papers", "list"), ("papers", "show"),
        ("papers", "search"), ("deliveries", "list"), ("deliveries", "show"),
        ("deliveries", "retry"), ("deliveries", "stats"), ("subscribers", "add"),
        ("subscribers", "list"), ("subscribers", "show"), ("subscribers", "edit"),
        ("subscribers", "confirm"), ("subscribers", "pause"), ("subscribers", "resume"),
        ("subscribers", "remove"), ("subscribers", "erase"), ("subscribers", "import"),
        ("subscribers", "export"),
    ]  # fmt: skip
    for page in pages:
        assert "Example: digest" in " ".join(bare_desk.ok(*page, "--help").out.split()), page

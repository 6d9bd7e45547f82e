"""docs/install.md and what lies in deploy/ are true of this program, and do what they say."""

import configparser
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from digest.cli import app, main
from digest.settings import Settings, all_keys, load, variable
from tests.deploying import DEPLOY, GUIDE, ROOT, SAFE_NAME, blocks, services, texts

# Scripts


def test_secrets_made_as_the_guide_says_are_those_the_service_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (script,) = [block for block in blocks("sh") if "private/db_password" in block]
    (tmp_path / "private").mkdir()
    shell(script, tmp_path)
    shutil.copy(ROOT / "config.example.toml", tmp_path / "private" / "config.toml")
    files = {"/etc/digest/config.toml": "config.toml", "/run/secrets/secrets.toml": "secrets.toml"}
    for name, value in services()["digest"]["environment"].items():
        given = re.sub(r"\$\{PAPERS_HOST:[^}]*\}", SAFE_NAME, value)
        given = str(tmp_path / "private" / files[given]) if given in files else given
        monkeypatch.setenv(name, given)
    settings = load().settings
    password = (tmp_path / "private" / "db_password").read_text(encoding="utf-8")
    assert len(password) > 40
    assert settings.store.url == f"postgresql://digest:{password}@db/digest"
    assert settings.site.url == f"https://{SAFE_NAME}"
    assert settings.secret_keys[0] != settings.pepper
    assert settings.smtp.password == "the relay's password"
    assert (tmp_path / "private" / "secrets.toml").stat().st_mode & 0o077 == 0


def shell(script: str, folder: Path) -> None:
    """Run a block of the guide; `sudo` does the rest as it is, and no owner is changed."""
    stubs = folder / "bin"
    stubs.mkdir()
    for name, text in (("sudo", 'exec "$@"'), ("chown", "exit 0")):
        (stubs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (stubs / name).chmod(0o755)
    subprocess.run(
        ["bash", "-euc", script], cwd=folder, check=True, capture_output=True,
        env=os.environ | {"PATH": f"{stubs}:{os.environ['PATH']}"},
    )  # fmt: skip


def test_the_secrets_of_a_host_are_good_and_differ(tmp_path: Path) -> None:
    (script,) = [block for block in blocks("sh") if "tee /etc/digest/secrets.toml" in block]
    lines = [line for line in script.splitlines() if line.startswith(("key()", "printf"))]
    target = tmp_path / "secrets.toml"
    shell("\n".join(lines).replace("/etc/digest/secrets.toml", str(target)), tmp_path)
    made = tomllib.loads(target.read_text(encoding="utf-8"))
    assert Settings(**made).secret_keys[0] != made["pepper"]


def test_the_backup_of_the_guide_is_a_whole_store(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = [line for line in GUIDE.splitlines() if "db backup" in line]
    words = line.replace("/var/lib/digest", str(tmp_path)).replace("$version", "1").split()
    backup = tmp_path / "backup-1.sqlite3"
    monkeypatch.setenv("DIGEST_STORE__URL", sqlite_url)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main(words[2:])
    assert not ended.value.code
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as store:
        tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
        with sqlite3.connect(backup) as copy:
            assert copy.execute(tables).fetchone() == store.execute(tables).fetchone()
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()
    store.close()


# Words


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every `digest …` that a file tells to run, as (file, words after digest)."""
    starts = r"(?:^|sudo |exec |`|\(|bin/)digest((?: [^\s`)#>|;&]+)+)"
    for name, text in texts().items():
        prose = name.endswith(".md")
        for line in text.splitlines():
            shown = [line] if not prose or "`" not in line else re.findall("`[^`]+`", line)
            for piece in shown:
                for found in re.finditer(starts, piece.replace("docker compose run --rm", "exec")):
                    words = shlex.split(found[1].replace('"$@"', ""))
                    if words and re.match(r"[a-z]|--config", words[0]):
                        yield name, words


def lacking(words: list[str]) -> str:
    """What of a command line this program does not know; empty where it knows it all."""
    command: Any = typer.main.get_command(app)
    if words[0] == "--config":
        words = words[2:]
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return words[0]
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    return next((w for w in words if w.startswith("-") and w != "-" and w not in known), "")


def test_every_command_that_is_named_exists() -> None:
    found = [(name, words) for name, words in commands() if words[0] != "digest"]
    assert len(found) > 20
    assert {name for name, _ in found} >= {"docs/install.md", "deploy/systemd/digest.service"}
    assert [(name, words) for name, words in found if lacking(list(words))] == []
    assert lacking(["db", "upgrade", "--wrongly"]) == "--wrongly"
    assert lacking(["no-such"]) == "no-such"


def test_every_setting_that_is_named_exists() -> None:
    keys = {key for key, _ in all_keys()}
    sections = {key.partition(".")[0] for key in keys if "." in key}
    dotted = re.compile(rf"(?<![\w./@-])((?:{'|'.join(sorted(sections))})\.[a-z_]+)(?![\w/.-])")
    named = set()
    for name, text in texts().items():
        for key in dotted.findall(text):
            if key != "http.client" and not key.endswith(".md"):
                named.add(key)
                assert key in keys, f"{name}: {key}"
    assert named >= {"daemon.drain_s", "web.trusted_proxies", "bounces.maildir", "dkim.key_file"}


def test_every_variable_that_is_named_exists() -> None:
    known = {variable(key) for key, _ in all_keys()} | {"DIGEST_CONFIG"}
    named = {word for text in texts().values() for word in re.findall(r"DIGEST_\w+", text)}
    assert named >= {"DIGEST_SECRETS_FILE", "DIGEST_WEB__HOST"}
    assert named - known == set()


def test_config_of_the_guide_and_of_the_examples_is_taken_as_it_stands() -> None:
    for block in blocks("toml"):
        Settings(**tomllib.loads(block))
    for name in ("nginx.conf", "Caddyfile"):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        lines = re.findall(r"#\s+\[(\w+)\]\s+(\w+ = .+)", text)
        assert len(lines) == 2
        settings = Settings(**tomllib.loads("".join(f"[{s}]\n{line}\n" for s, line in lines)))
        assert settings.web.trusted_proxies == ("127.0.0.1/32",)


def test_every_file_that_is_named_exists() -> None:
    named = {word.rstrip(".") for word in re.findall(r"deploy/[\w./-]+", GUIDE)}
    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name).exists()] == []
    drop_in = configparser.ConfigParser()
    for block in blocks("ini"):
        drop_in.read_string(block)

"""Run the command line as a user does, in this process: arguments in, exit code and texts out."""

import json
import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from digest.cli import main
from digest.mail.sink import Sink

# Typer builds all commands for each call, half of what a short one takes; here once a session
typer.main.get_command = cache(typer.main.get_command)

SECRETS = {"DIGEST_SECRET_KEYS": "k" * 32, "DIGEST_PEPPER": "p" * 32}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Desk:
    """A folder with a config and a store, in which commands are run."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def run(self, *arguments: str | Path) -> Ended:
        """Run a command to its end."""
        self._capsys.readouterr()
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else 1
        captured = self._capsys.readouterr()
        return Ended(int(code), captured.out, captured.err)

    def ok(self, *arguments: str | Path) -> Ended:
        """Run a command that must end well."""
        ended = self.run(*arguments)
        assert ended.code == 0, f"{arguments}: {ended.code}\n{ended.out}\n{ended.err}"
        return ended

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


@pytest.fixture
def bare_desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    """A folder without config or store."""
    for name in list(os.environ):
        if name.startswith("DIGEST_") and not name.startswith("DIGEST_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, capsys)


@pytest.fixture
def desk(bare_desk: Desk, monkeypatch: pytest.MonkeyPatch, _sqlite_template: Path) -> Desk:
    """A folder with a store, a sender and secrets; no relay."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DIGEST_SENDER__ADDRESS", "digest@papers.example")
    monkeypatch.setenv("DIGEST_SITE__URL", "https://papers.example")
    monkeypatch.setenv("DIGEST_WEB__PORT", "0")  # daemons of several tests run side by side
    # what `db upgrade` would make in four times the time of most tests
    shutil.copy(_sqlite_template, bare_desk.folder / "digest.sqlite3")
    return bare_desk


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A real SMTP server on loopback, named as the relay in the environment."""
    with Sink() as server:
        monkeypatch.setenv("DIGEST_SMTP__HOST", server.host)
        monkeypatch.setenv("DIGEST_SMTP__PORT", str(server.port))
        monkeypatch.setenv("DIGEST_SMTP__SECURITY", "none")
        yield server

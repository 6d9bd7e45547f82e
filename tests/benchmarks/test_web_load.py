"""The pages under load, one process, beside a plain page as the ceiling: `make bench`.

DIGEST_BENCH_SECONDS sets how long each load lasts (60).
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from digest.services.signup import take_in
from digest.services.subscribe import Keys
from digest.store.database import open_engine, reading
from digest.store.tables import DeliveryRow, SignUpRow, SubscriberRow, table
from tests.benchmarks.mail.servers import ROOT
from tests.benchmarks.web.load import Seen, form, load, page, told
from tests.builders import NOON

pytestmark = pytest.mark.bench

SECONDS = float(os.environ.get("DIGEST_BENCH_SECONDS", "60"))
SECRETS = {"DIGEST_SECRET_KEYS": "k" * 32, "DIGEST_PEPPER": "p" * 32}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def _served(command: Sequence[str], port: int, folder: Path, **variables: str) -> Iterator[int]:
    """The process id of a server that answers at the port."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
    env = kept | variables | {"PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder)}
    with (folder / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=env, cwd=folder, stdout=log, stderr=log
        )
        try:
            _until_it_answers(port, process)
            yield process.pid
        finally:
            process.terminate()
            process.wait(30)


def _until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server does not answer")


def _sign_up(number: int) -> bytes:
    return form(
        "/subscribe",
        {
            "email": f"reader{number}@lab.example",
            "interests": "continual learning\nrobotics",
            "timezone": "Europe/Berlin",
            "hour": "8",
            "frequency": "daily",
        },
    )


def _counts(url: str) -> tuple[int, int, int]:
    """Subscribers, their confirmations, and forms that wait."""
    engine = open_engine(url)
    with reading(engine) as session:
        found = tuple(
            session.scalar(select(func.count()).select_from(table(row))) or 0
            for row in (SubscriberRow, DeliveryRow, SignUpRow)
        )
    engine.dispose()
    return found  # type: ignore[return-value]


def _ceiling(folder: Path, rate: float) -> Seen:
    port = _free_port()
    with _served(["tests.benchmarks.web.hello", str(port)], port, folder) as pid:
        load(port, pid, rate, 3, lambda _: form("/", {"a": "b"}))
        return load(port, pid, rate, SECONDS / 2, lambda _: form("/", {"a": "b"}))


@pytest.mark.parametrize(
    ("fixture", "rate"),
    [
        ("sqlite_url", 100),
        ("sqlite_url", 300),
        pytest.param("postgres_url", 200, marks=pytest.mark.postgres),
    ],
)
def test_forms_a_second(
    fixture: str, rate: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url: str = request.getfixturevalue(fixture)
    port = _free_port()
    serve = ["digest", "web", "--port", str(port)]
    with _served(serve, port, tmp_path, DIGEST_STORE__URL=url, **SECRETS) as pid:
        load(port, pid, 50, 3, lambda n: page("/"))
        seen = load(port, pid, rate, SECONDS, _sign_up)
    ceiling = _ceiling(tmp_path, rate)
    print()
    told(f"subscribe, {fixture.partition('_')[0]}, {rate}/s", seen)
    told("hello, the ceiling", ceiling)
    print(f"p99 is {seen.at(99) / ceiling.at(99):.1f} times the ceiling's")
    _take_in_the_rest(url)
    people, confirmations, waiting = _counts(url)
    print(f"accepted {seen.statuses[200]:,}; subscribers {people:,}; mails {confirmations:,}")
    assert (people, confirmations, waiting) == (seen.statuses[200], seen.statuses[200], 0)
    assert not set(seen.statuses) - {200, 429, 503}


def _take_in_the_rest(url: str) -> None:
    engine = open_engine(url)
    keys = Keys(pepper="p" * 32, secret="k" * 32, domain="digest.example")
    while take_in(engine, keys, NOON).taken:
        pass
    engine.dispose()

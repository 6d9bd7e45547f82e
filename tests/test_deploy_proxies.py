"""The proxies of deploy/ run before the real pages: what comes through, and what is logged."""

import http.client
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from digest.store.database import open_engine
from digest.web.routes import ALL
from digest.web.server import Server, guarded
from tests.deploying import DEPLOY, SAFE_NAME, tool
from tests.web.building import Clock, a_desk

TOKEN = "the-key-of-one-reader"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def running(command: list[str], port: int, **env: str) -> Iterator[None]:
    """A proxy in the foreground, from when it takes connections until the end of the block."""
    process = subprocess.Popen(
        command, env=os.environ | env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until and process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        assert process.poll() is None, "the proxy has ended"
        yield
    finally:
        process.terminate()
        process.wait(20)


def ask(
    port: int, method: str, path: str, body: bytes = b"", *, times: int = 1
) -> list[tuple[int, dict[str, str]]]:
    """Status and headers of each answer over TLS, as a visitor gets them who lies about who."""
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=trusting)
    headers = {"Host": SAFE_NAME, "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
    found = []
    try:
        for _ in range(times):
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            answer.read()
            named = {key.lower(): value for key, value in answer.getheaders()}
            found.append((answer.status, named))
    finally:
        connection.close()
    return found


def status_of(port: int, method: str, path: str, body: bytes = b"") -> int:
    ((status, _),) = ask(port, method, path, body)
    return status


@pytest.fixture
def pages(sqlite_url: str, tmp_path: Path) -> Iterator[int]:
    """The real pages on loopback, which believe a proxy there; their port."""
    engine = open_engine(sqlite_url)
    desk = a_desk(engine, Clock(), tmp_path, web={"trusted_proxies": ("127.0.0.1/32",)})
    server = Server(guarded(desk, ALL), "127.0.0.1", 0)
    server.start()
    yield server.port
    server.stop()
    engine.dispose()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fullchain.pem and privkey.pem of the example's name."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem",
         "-days", "2", "-subj", f"/CN={SAFE_NAME}", "-addext", f"subjectAltName=DNS:{SAFE_NAME}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def for_nginx(folder: Path, certificate: Path, port: int, pages: int) -> Path:
    """nginx.conf inside the least of a whole config: loopback, free ports, files in `folder`."""
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    plain = next(other for other in iter(free_port, 0) if other != port)  # what is free comes again
    for old, new in (
        (r"listen \[::\]:\d+[^;]*;", ""),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        (r"/etc/letsencrypt/live/[^/]+/", f"{certificate}/"),
        (r"/var/log/nginx/", f"{folder}/log/"),
        (r"127\.0\.0\.1:8080", f"127.0.0.1:{pages}"),
    ):
        text, count = re.subn(old, new, text)
        assert count, old
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "log").mkdir()
    as_root = "user root root;\n" if os.geteuid() == 0 else ""  # or it would turn to another user
    whole = folder / "nginx.conf"
    whole.write_text(
        f"{as_root}daemon off;\npid {folder}/pid;\nerror_log {folder}/main.log;\n"
        f"events {{}}\nhttp {{\naccess_log {folder}/log/access.log;\n{temporary}{text}}}\n",
        encoding="utf-8",
    )
    return whole


def logs_below(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.log"))


def behaves(port: int, too_large: tuple[int, ...] = (413,)) -> None:
    """What each proxy must do with the pages behind it; `too_large` are its answers to 1.2 MB."""
    ((status, headers),) = ask(port, "GET", "/")
    assert status == 200
    assert "strict-transport-security" in headers, "the pages do not know that this is https"
    assert status_of(port, "GET", "/metrics") == 404
    assert status_of(port, "GET", f"/unsubscribe/{TOKEN}") in (400, 410)
    assert status_of(port, "POST", "/webhooks/ses", b"x" * 900_000) in (401, 403, 404)
    assert status_of(port, "POST", "/webhooks/ses", b"x" * 1_200_000) in too_large


def test_nginx_takes_its_example_and_serves_the_pages(
    tmp_path: Path, certificate: Path, pages: int
) -> None:
    nginx, port = tool("nginx"), free_port()
    config = for_nginx(tmp_path, certificate, port, pages)
    checked = subprocess.run(
        [nginx, "-t", "-c", config], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr
    with running([nginx, "-c", str(config)], port):
        behaves(port)
    assert TOKEN not in logs_below(tmp_path)


def test_nginx_limits_visitors_but_never_opt_outs_and_logs_no_key(
    tmp_path: Path, certificate: Path
) -> None:
    nginx, port = tool("nginx"), free_port()
    config = for_nginx(tmp_path, certificate, port, free_port())  # where nobody answers
    with running([nginx, "-c", str(config)], port):
        opt_outs = ask(port, "POST", f"/unsubscribe/{TOKEN}", times=80)
        visits = [status for status, _ in ask(port, "GET", f"/preferences/{TOKEN}", times=80)]
    assert {status for status, _ in opt_outs} == {502}
    assert visits[0] == 502
    assert 429 in visits
    assert TOKEN not in logs_below(tmp_path)


def test_caddy_takes_its_example_serves_the_pages_and_logs_no_key(
    tmp_path: Path, certificate: Path, pages: int
) -> None:
    caddy, port, log = tool("caddy"), free_port(), tmp_path / "caddy.log"
    keys = f"{certificate}/fullchain.pem {certificate}/privkey.pem"
    text = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    for old, new in (
        ("\tlog {\n", f"\tadmin off\n\tauto_https off\n\tlog {{\n\t\toutput file {log}\n"),
        ("\trequest_body", f"\ttls {keys}\n\trequest_body"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    config = tmp_path / "Caddyfile"
    config.write_text(text, encoding="utf-8")
    env = {"PAPERS_HOST": f"https://:{port}", "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    command = [caddy, "run", "--config", str(config), "--adapter", "caddyfile"]
    with running(command, port, **env, PAPERS_UPSTREAM=f"127.0.0.1:{pages}"):
        # it passes the body on while it comes: the pages may hang up on it before it has counted
        behaves(port, too_large=(413, 502))
    with running(command, port, **env, PAPERS_UPSTREAM=f"127.0.0.1:{free_port()}"):
        assert status_of(port, "GET", f"/preferences/{TOKEN}") == 502
    assert "502" in logs_below(tmp_path)
    assert TOKEN not in logs_below(tmp_path)

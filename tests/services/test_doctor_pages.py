"""The doctor on what is reached by the web: the public address, the sources, the webhooks."""

import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from digest.domain.checkup import Area, Finding, Level
from digest.domain.papers import SourceKind
from digest.services.doctor import Checkup, Hooks, Pages
from digest.services.doctor.web import Answer, NoAnswer, Web
from digest.sources.reader import SourceSpec
from tests.mail.relays import make_certificate, server_context
from tests.services.doctoring import GOOD, NOW, Names, a_checkup, a_world, found, name_server
from tests.sources.webserver import Reply, serving
from tests.sources.webserver import Web as Served

LINE = b'{"id": "1", "title": "Sparse attention", "url": "https://papers.example/1"}\n'


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    with name_server(GOOD) as served:
        yield served


@pytest.fixture
def site() -> Iterator[Served]:
    with serving() as served:
        yield served


def _at(folder: Path, url: str, **changes: Any) -> Checkup:
    pages = {"url": url, "host": "127.0.0.1", "port": 8080, "trusts_proxies": True} | changes
    return a_checkup(folder, pages=Pages(**pages))


def _one(findings: list[Finding], name: str) -> Finding:
    (one,) = [finding for finding in findings if finding.name == name]
    return one


class Nobody(Web):
    """No address of the web answers."""

    def ask(self, url: str, method: str = "GET") -> Answer:
        raise NoAnswer("no answer in time")


# The public address


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("site"))


@pytest.fixture
def secure_site(certificate: tuple[Path, Path]) -> Iterator[str]:
    """Our own answer over https."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"ok\n" if self.path == "/healthz" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_args: object) -> None:
            pass  # a client that trusts us not

    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = server_context(*certificate).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_pages_that_answer_over_https_are_good(
    names: Names, tmp_path: Path, secure_site: str, certificate: tuple[Path, Path]
) -> None:
    web = Web(2.0, lambda: ssl.create_default_context(cafile=str(certificate[0])))
    findings = found(_at(tmp_path, secure_site), a_world(names, web=web), Area.SITE)
    assert [one.name for one in findings] == ["url", "answers", "certificate"]
    assert {one.level for one in findings} == {Level.OK}


def test_a_certificate_that_browsers_refuse_is_named(
    names: Names, tmp_path: Path, secure_site: str
) -> None:
    findings = found(_at(tmp_path, secure_site), a_world(names), Area.SITE)
    told = _one(findings, "certificate")
    assert (told.level, "CERTIFICATE_VERIFY_FAILED" in told.text) == (Level.FAIL, True)
    assert "renew" in told.mend


@pytest.mark.parametrize(
    ("reply", "level", "text"),
    [
        (Reply(200, b"ok\n"), "ok", "is our own"),
        (Reply(200, b"<html>parked"), "fail", "not our answer"),
        (Reply(301, headers={"Location": "https://www.lab.example/"}), "fail", "leads on to"),
        (Reply(502), "fail", "reaches no pages"),
        (Reply(404), "fail", "HTTP 404"),
    ],
)
def test_health_must_be_our_own_through_the_public_name(
    names: Names, tmp_path: Path, site: Served, reply: Reply, level: str, text: str
) -> None:
    site.answers["/healthz"] = [reply]
    findings = found(_at(tmp_path, site.url), a_world(names), Area.SITE)
    told = _one(findings, "answers")
    assert told.level == level, told
    assert text in told.text
    scheme = _one(findings, "url")
    assert (scheme.level, "needs https" in scheme.text) == (Level.FAIL, True)


def test_figures_that_everybody_can_read_are_told(
    names: Names, tmp_path: Path, site: Served
) -> None:
    site.answers["/healthz"] = [Reply(200, b"ok\n")]
    site.answers["/metrics"] = [Reply(200, b"# HELP x y\n# TYPE x counter\nx 1\n")]
    told = _one(found(_at(tmp_path, site.url), a_world(names), Area.SITE), "metrics")
    assert (told.level, "close /metrics" in told.mend) == (Level.WARN, True)


def test_pages_that_do_not_run_fail_with_what_to_start(names: Names, tmp_path: Path) -> None:
    with serving() as gone:
        url = gone.url
    told = _one(found(_at(tmp_path, url), a_world(names), Area.SITE), "answers")
    assert (told.level, "start 'digest web'" in told.mend) == (Level.FAIL, True)


@pytest.mark.parametrize(
    ("addresses", "level", "text"),
    [
        (["192.0.2.5"], "ok", "192.0.2.5"),
        (["127.0.0.5"], "warn", "of this network alone"),
        ([], "fail", "no address of pages.example"),
    ],
)
def test_the_public_name_must_have_a_public_address(
    names: Names, tmp_path: Path, addresses: list[str], level: str, text: str
) -> None:
    names.records["pages.example", "A"] = addresses
    world = a_world(names, web=Nobody(2.0))
    checkup = _at(tmp_path, "https://pages.example")
    told = _one(found(checkup, world, Area.SITE), "resolves")
    assert told.level == level, told
    assert text in told.text


def test_without_an_address_mails_offer_no_one_click(names: Names, tmp_path: Path) -> None:
    (told,) = found(_at(tmp_path, ""), a_world(names), Area.SITE)
    assert (told.level, "site.url" in told.mend) == (Level.WARN, True)


@pytest.mark.parametrize(
    ("changes", "level", "mend"),
    [
        ({}, "ok", ""),
        ({"trusts_proxies": False}, "warn", "set web.trusted_proxies"),
        ({"trusts_proxies": False, "port": 0}, "ok", ""),
        ({"trusts_proxies": False, "url": "http://lab.example"}, "ok", ""),
        ({"host": "0.0.0.0"}, "warn", "set web.host to 127.0.0.1"),
        ({"host": "10.1.2.3"}, "ok", ""),
    ],
)
def test_settings_behind_a_proxy_are_judged(
    names: Names, tmp_path: Path, changes: dict[str, Any], level: str, mend: str
) -> None:
    checkup = _at(tmp_path, **{"url": "https://lab.example"} | changes)
    (told,) = found(checkup, a_world(names), Area.WEB)
    assert told.level == level, told
    assert told.mend.startswith(mend)
    assert bool(told.mend) == bool(mend)


# Sources, and the time that their servers tell


def _sources(folder: Path, *specs: SourceSpec) -> Checkup:
    return a_checkup(folder, sources=specs)


def test_each_source_is_asked_and_a_broken_one_stops_no_other(
    names: Names, tmp_path: Path, site: Served
) -> None:
    site.answers["/good"] = [Reply(200, LINE)]
    site.answers["/partly"] = [Reply(200, LINE + b'{"no": "title"}\n')]
    site.answers["/page"] = [Reply(200, b"<html>please log in</html>")]
    kinds = {"page": SourceKind.HUGGINGFACE}
    specs = [
        SourceSpec(
            name=name, kind=kinds.get(name, SourceKind.JSONL), url=f"{site.url}/{name}", path=None
        )
        for name in ("good", "page", "gone", "partly")
    ]
    file = SourceSpec(name="file", kind=SourceKind.JSONL, path=tmp_path / "missing.jsonl")
    told = found(_sources(tmp_path, *specs, file), a_world(names), Area.SOURCES)
    assert [(one.name, one.level.value) for one in told] == [
        ("good", "ok"),
        ("page", "fail"),
        ("gone", "fail"),
        ("partly", "warn"),
        ("file", "fail"),
    ]
    assert "HTTP 404" in told[2].text
    assert "digest sources check gone" in told[2].mend


@pytest.mark.parametrize("offline", [True, False])
def test_without_network_live_sources_are_unknown_and_files_are_read(
    tmp_path: Path, offline: bool
) -> None:
    (tmp_path / "kept.jsonl").write_bytes(LINE)
    with serving() as gone:
        url = gone.url
    live = SourceSpec(name="live", kind=SourceKind.JSONL, url=f"{url}/x")
    file = SourceSpec(name="file", kind=SourceKind.JSONL, path=tmp_path / "kept.jsonl")
    with name_server({}) as walled:
        world = a_world(walled, offline=offline)
        told = found(_sources(tmp_path, live, file), world, Area.SOURCES)
    assert [(one.name, one.level.value) for one in told] == [("live", "unknown"), ("file", "ok")]


def test_no_source_at_all_is_told(names: Names, tmp_path: Path) -> None:
    (told,) = found(a_checkup(tmp_path), a_world(names), Area.SOURCES)
    assert (told.level, "[[sources]]" in told.mend) == (Level.WARN, True)


@pytest.mark.parametrize(("seconds", "level"), [(3, "ok"), (-60, "warn"), (3600, "fail")])
def test_the_clock_is_compared_with_a_web_server_s(
    names: Names, tmp_path: Path, seconds: int, level: str
) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(200)
            self.send_header("Date", date)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/feed"
        source = SourceSpec(name="live", kind=SourceKind.FEED, url=url)
        told = found(_sources(tmp_path, source), a_world(names), Area.CLOCK)
        server.shutdown()
        thread.join()
    clock = _one(told, "web")
    assert clock.level == level, clock
    assert f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} us" in clock.text


# Webhooks


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        ({"ses_topics": ("arn:aws:sns:eu-west-1:123456789012:bounces",)}, "ok", "1 topics"),
        ({"ses_topics": ("bounces",)}, "fail", "'bounces' is no ARN"),
        ({"sendgrid_key": "nonsense"}, "fail", "is no key"),
        ({"postmark_username": "pm"}, "fail", "postmark_password is not set"),
        ({"postmark_username": "pm", "postmark_password": "short"}, "warn", "fewer than"),
        ({"postmark_username": "pm", "postmark_password": "x" * 32}, "ok", "are set"),
        ({}, "ok", "none is set up"),
    ],
)
def test_webhooks_must_be_able_to_work(
    names: Names, tmp_path: Path, changes: dict[str, Any], level: str, text: str
) -> None:
    checkup = a_checkup(tmp_path)
    hooks: Hooks = replace(checkup.hooks, **changes)
    (told,) = found(replace(checkup, hooks=hooks), a_world(names), Area.WEBHOOKS)
    assert told.level == level, told
    assert text in told.text


def test_a_provider_needs_an_https_address_to_report_to(names: Names, tmp_path: Path) -> None:
    checkup = _at(tmp_path, "http://lab.example")
    hooks = replace(checkup.hooks, ses_topics=("arn:aws:sns:eu-west-1:123456789012:bounces",))
    told = found(replace(checkup, hooks=hooks), a_world(names), Area.WEBHOOKS)
    assert _one(told, "address").level is Level.FAIL

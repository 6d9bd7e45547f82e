"""No secret of the config is in anything that comes out, also where everything fails."""

import base64
import gc
import http.server
import json
import shlex
import threading
import traceback
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine

from digest.app import App, present
from digest.settings import load
from digest.web.desk import desk_over
from tests.builders import NOON
from tests.commands import Desk
from tests.docs.reference import examples, walk
from tests.privacy.canaries import CANARIES, leaks, planted, repeating_relay
from tests.privacy.traces import below
from tests.reliability import record
from tests.web.building import Browser, Clock

SERVERS = ("run", "web", "worker")  # which do not end by themselves: see test_canaries_daemon
OWN_CONFIG = ("demo",)
STORE = "sqlite:///store.sqlite3"
NO_STORE = f"postgresql://digest:{CANARIES['store.url']}@127.0.0.1:9/digest"


@pytest.fixture
def relay() -> Iterator[int]:
    with repeating_relay() as port:
        yield port


@pytest.mark.parametrize("name", CANARIES)
def test_leak_is_found_in_every_form(name: str) -> None:
    secret = CANARIES[name]
    said = [secret, f"'{secret}'", secret.encode().hex(), secret[: len(secret) * 2 // 3]]
    said += [base64.b64encode(b"x" * n + secret.encode() + b"yz").decode() for n in range(6)]
    for text in said:
        assert leaks(f"error: {text}, try again") == [name], text
    assert leaks("error: nothing to see") == []


def command_lines() -> list[list[str]]:
    """The examples of every command, as its help gives them, and each listing as JSON too."""
    found = []
    for path, command in walk():
        if hasattr(command, "commands") or path.split()[1] in (*SERVERS, *OWN_CONFIG):
            continue
        options = {name for one in command.params for name in one.opts}
        for line in examples(command):
            # what is written goes into the folder of the test
            words = [Path(word).name if word[0] == "/" else word for word in shlex.split(line)[1:]]
            found.append(words)
            if "--json" in options and "--json" not in words:
                found.append([*words, "--json"])
    return found


def said_by(desk: Desk, words: list[str]) -> str:
    """All that a command says, a trace of a defect too."""
    try:
        ended = desk.run(*words)
    except Exception:  # as Python writes it where nobody catches it
        return traceback.format_exc()
    return ended.out + ended.err


def with_mail_to_send(desk: Desk) -> None:
    """Somebody who is due, and a paper for them: so that the relay is asked, in vain."""
    row = '{"id": "1", "title": "On continual learning", "abstract": "It goes on."}\n'
    desk.ok("fetch", "--file", desk.write("papers.jsonl", row), "--format", "jsonl")
    desk.ok("subscribers", "add", "eve@example.com", "-i", "learning", "--confirmed", "--hour", "0")


# those that speak of relay, source and store, for the quick suite
SOME = (
    ["compose"],
    ["deliver"],
    ["fetch", "--json"],
    ["sources", "list", "--json"],
    ["export", "store.zip"],
)
SOME += (["db", "backup", "digest-monday.sqlite3"], ["subscribers", "export", "people.csv"])
ALL = pytest.param(command_lines(), marks=pytest.mark.slow, id="all")


@pytest.mark.parametrize("lines", [pytest.param(SOME, id="some"), ALL])
def test_no_command_says_a_secret_and_no_file_holds_one(
    bare_desk: Desk, relay: int, lines: Sequence[list[str]]
) -> None:
    key = planted(bare_desk, relay=relay, store=STORE)
    given = {path.name for path in below(bare_desk.folder)}
    bare_desk.ok("db", "upgrade")
    with_mail_to_send(bare_desk)
    told = {" ".join(words): said_by(bare_desk, words) for words in lines}
    assert {line: what for line, said in told.items() if (what := leaks(said, key))} == {}
    assert "refused the login: 535 5.7.8 No such login" in next(
        told[line] for line in told if line.startswith("deliver")
    )
    assert "Connection refused" in told["fetch --json"]
    made = [path for path in below(bare_desk.folder) if path.name not in given]
    assert {"store.zip", "digest-monday.sqlite3", "people.csv"} <= {path.name for path in made}
    assert {path.name: what for path in made if (what := leaks(content(path), key))} == {}
    record("privacy", "secrets, every command", commands=len(lines), files=len(made), leaks=0)


def content(path: Path) -> bytes:
    """What a file holds, unpacked."""
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as packed:
        return b"\n".join(packed.read(name) for name in packed.namelist())


FEED = b"""<rss version="2.0"><channel><title>Papers</title><link>/</link>
<item><title>On continual learning</title><link>/papers/1</link></item>
<item><title>On learning to wait</title><link>?page=2</link></item>
</channel></rss>"""


class _Feed(http.server.BaseHTTPRequestHandler):
    """Serves a feed whose links are relative to its own address, as RFC 3986 lets them be."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/rss+xml")
        self.end_headers()
        self.wfile.write(FEED)

    def log_message(self, *_: object) -> None:
        pass


def test_no_link_of_a_paper_holds_the_login_of_its_source(bare_desk: Desk, relay: int) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Feed) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        planted(bare_desk, relay=relay, store=STORE)
        config = bare_desk.folder / "config.toml"
        port = server.server_address[1]
        config.write_text(config.read_text().replace("@127.0.0.1:9/", f"@127.0.0.1:{port}/"))
        bare_desk.ok("db", "upgrade")
        fetched = bare_desk.ok("fetch")
        server.shutdown()
    papers = bare_desk.ok("papers", "list", "--json").json
    assert f"http://127.0.0.1:{port}/papers/1" in [paper["url"] for paper in papers]
    assert leaks(fetched.out + fetched.err + json.dumps(papers)) == []
    assert leaks((bare_desk.folder / "store.sqlite3").read_bytes()) == []


@pytest.mark.slow
def test_no_command_says_a_secret_where_the_store_is_out_of_reach(
    bare_desk: Desk, relay: int
) -> None:
    key = planted(bare_desk, relay=relay, store=NO_STORE)
    lines = command_lines()
    told = {" ".join(words): said_by(bare_desk, words) for words in lines}
    assert {line: what for line, said in told.items() if (what := leaks(said, key))} == {}
    assert "the store failed" in told["subscribers list --status active"]
    record("privacy", "secrets, store out of reach", commands=len(lines), leaks=0)


@pytest.mark.slow
def test_no_trace_of_a_defect_shows_a_secret(
    bare_desk: Desk, relay: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = planted(bare_desk, relay=relay, store=STORE)
    bare_desk.ok("db", "upgrade")

    def broken(self: object, *_: object, **__: object) -> None:
        raise RuntimeError(f"injected, at {self!r}")

    monkeypatch.setattr(Engine, "connect", broken)
    monkeypatch.setattr(Engine, "raw_connection", broken)
    lines = command_lines()
    told = {" ".join(words): said_by(bare_desk, words) for words in lines}
    assert {line: what for line, said in told.items() if (what := leaks(said, key))} == {}
    assert "RuntimeError: injected" in told["subscribers list --status active"]
    record("privacy", "secrets, injected defects", commands=len(lines), leaks=0)


def _ours(one: object) -> bool:
    return str(type(one).__module__).startswith("digest")  # some types' name is a descriptor


def test_nothing_that_lives_in_the_process_shows_a_secret(bare_desk: Desk, relay: int) -> None:
    key = planted(bare_desk, relay=relay, store=STORE)
    bare_desk.ok("db", "upgrade")
    with_mail_to_send(bare_desk)
    app = App(load(), present)
    browser = Browser(desk_over(app))
    assert app.compose().composed == 1
    assert "refused the login" in app.deliver(insist=True).relay_error
    kept = [app.keys, app.means, app.mailroom, app.mailbox, app.window, browser.desk.keys]
    assert kept
    shown = [repr(one) for one in gc.get_objects() if _ours(one)]
    assert len(shown) > 100
    bad = sorted({(text[:70], *what) for text in shown if (what := leaks(text, key))})
    assert not bad, "\n".join(map(str, bad))


WRONG = {
    "store.url": f"mysql://digest:{CANARIES['store.url']}@host/digest",
    "store.url, no port": f"postgresql://digest:{CANARIES['store.url']}@host:port/digest",
    "smtp.password": CANARIES["smtp.password"] + "\\n",
    "secret_keys": CANARIES["secret_keys"][:15],
    "sources": f"ftp://reader:{CANARIES['sources.url, password']}@host/feed",
    "sources, spaces": f"http://reader:{CANARIES['sources.url, password']} @host/ feed",
    "site.url": f"ftp://me:{CANARIES['smtp.password']}@host",
}


@pytest.mark.parametrize("key", WRONG)
def test_no_error_of_the_config_shows_a_secret(bare_desk: Desk, key: str) -> None:
    section, _, name = key.partition(",")[0].partition(".")
    value = f'"{WRONG[key]}"'
    if section == "sources":
        text = f'[[sources]]\nname = "feed"\nkind = "feed"\nurl = {value}\n'
    else:
        text = f"[{section}]\n{name} = {value}\n" if name else f"{section} = [{value}]\n"
    bare_desk.write("config.toml", text).chmod(0o600)
    for words in (["subscribers", "list"], ["doctor", "--offline"], ["sources", "list"]):
        assert leaks(said_by(bare_desk, words)) == []


@pytest.mark.parametrize("section", ["SMTP", "BOUNCES", "WEBHOOKS", "STORE", "SECRET_KEYS"])
@pytest.mark.parametrize("form", ['{{"password": "{}"', '{{"password": ["{}"]}}', '["{}"', '"{}"'])
def test_no_error_of_the_environment_shows_a_secret(
    bare_desk: Desk, monkeypatch: pytest.MonkeyPatch, section: str, form: str
) -> None:
    monkeypatch.setenv(f"DIGEST_{section}", form.format(CANARIES["smtp.password"]))
    if section == "SECRET_KEYS":
        monkeypatch.setenv(f"DIGEST_{section}", f"[{CANARIES['smtp.password']}")
    ended = bare_desk.run("subscribers", "list")
    assert ended.code == 2
    assert leaks(ended.out + ended.err) == []


@pytest.mark.slow
def test_no_page_shows_a_secret_whatever_goes_wrong(
    bare_desk: Desk, relay: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = planted(bare_desk, relay=relay, store=STORE)
    bare_desk.ok("db", "upgrade")
    browser = Browser(desk_over(App(load(), Clock(NOON))))
    browser.client = type(browser.client)(
        browser.client.app, base_url="https://papers.example", raise_server_exceptions=False
    )
    paths = ["/", "/preview?interests=%22", "/nothing", "/metrics", "/readyz", "/healthz"]
    paths += ["/preferences/forged", "/confirm/" + "x" * 60, "/feeds/forged.atom", "/archive/x"]
    pages = [browser.get(path) for path in paths]
    wrong = base64.b64encode(f"postmark:{CANARIES['webhooks.postmark_password']}x".encode())
    login = {"authorization": f"Basic {wrong.decode()}"}
    pages += [browser.client.post("/webhooks/postmark", content=b"{", headers=login)]

    def broken(self: object, *_: object, **__: object) -> None:
        raise RuntimeError(f"injected, at {self!r}")

    monkeypatch.setattr(Engine, "connect", broken)
    pages += [browser.get(path) for path in paths]
    assert {200, 400, 404, 500} <= {page.status_code for page in pages}
    said = "\n".join(f"{page.headers} {page.text}" for page in pages)
    assert leaks(said, key) == []
    captured = capsys.readouterr()
    assert "injected" in captured.out + captured.err
    assert leaks(captured.out + captured.err, key) == []
    record("privacy", "secrets, pages", pages=len(pages), leaks=0)

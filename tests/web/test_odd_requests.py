"""Requests that no page of ours sends, over real sockets and in this process."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from digest.domain.subscribers import Channel, Status
from digest.mail.tokens import Purpose
from digest.services import address_change, subscribe
from digest.store import visits
from digest.store.database import reading, transaction
from digest.web.desk import Desk
from digest.web.guards import Guards, redacted
from digest.web.server import Server
from tests.web.building import Browser, Clock, a_desk
from tests.web.people import ADA, a_person, all_rows, now_is

NEW = "ada@home.example"
TOKEN = "MQ.awOK_A.Cmm0y4xf8OmMQOsyyh7pXvM_f8o"


@pytest.fixture
def browser(desk: Desk) -> Browser:
    return Browser(desk)


def _ok(_request: Request) -> Response:
    return PlainTextResponse("here\n")


@contextmanager
def _served(**limits: float) -> Iterator[Server]:
    app = Starlette(routes=[Route("/", _ok, methods=["GET", "POST"])])
    server = Server(Guards(app, (), None), "127.0.0.1", 0, **limits)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def _said(connection: socket.socket) -> bytes:
    """All that is answered until the other side closes."""
    said = b""
    try:
        while part := connection.recv(65536):
            said += part
    except ConnectionError:
        pass
    return said


GET = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"


def test_connections_that_say_nothing_make_room_for_those_that_do() -> None:
    with _served(most=10) as server:
        idle = [_connected(server) for _ in range(30)]
        with _connected(server) as one:
            one.sendall(GET)
            assert b"here" in _said(one)
        assert _said(idle[0]) == b""  # the longest waiting was closed
        for connection in idle:
            connection.close()


@pytest.mark.parametrize("begun", [b"", b"GET / HT", GET[:-2], GET[:4].replace(b"GET", b"POST")])
def test_a_request_that_does_not_come_whole_is_given_up(begun: bytes) -> None:
    with _served(message_s=0.1) as server, _connected(server) as slow:
        slow.sendall(begun)
        assert _said(slow) == b""


def test_headers_without_end_are_refused() -> None:
    with _served() as server, _connected(server) as big:
        big.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\nX: ")
        with pytest.raises(ConnectionError):
            for _ in range(400):
                big.sendall(b"a" * 100_000)


def test_a_form_that_is_too_large_is_read_to_its_end_before_the_answer() -> None:
    """Closed with bytes unread, a connection may lose the answer."""
    told: list[str] = []
    left = iter([b"a" * 10_000] * 9)

    async def receive() -> dict[str, object]:
        told.append("read")
        return {"type": "http.request", "body": next(left), "more_body": len(told) < 9}

    async def send(message: dict[str, object]) -> None:
        told.append(str(message.get("status", "text")))

    async def form() -> None:
        scope = _scope("POST", "/") | {"headers": [(b"content-length", b"90000")]}
        await Guards(Starlette(), (), None)(scope, receive, send)

    asyncio.run(form())
    assert told == ["read"] * 9 + ["413", "text"]


def test_who_asks_before_sending_too_much_is_told_at_once() -> None:
    with _served() as server, _connected(server) as one:
        one.sendall(
            b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 900000\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert _said(one).startswith(b"HTTP/1.1 413 ")


def test_what_is_no_http_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with _served() as server:
        for garbage in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            with _connected(server) as one:
                one.sendall(garbage)
                assert _said(one).startswith(b"HTTP/1.1 400 ")
    assert [one.message for one in caplog.records if one.levelname == "WARNING"] == []


def _scope(method: str, path: str) -> dict[str, object]:
    return {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": [], "scheme": "https", "client": ("192.0.2.1", 1),
    }  # fmt: skip


def test_slow_forms_keep_nobody_else_out() -> None:
    async def nothing_more() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    sent: list[int] = []

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            sent.append(int(str(message["status"])))

    async def all_of_it() -> None:
        guards = Guards(Starlette(routes=[Route("/", _ok)]), (), None, most=2)
        slow = [
            asyncio.create_task(guards(_scope("POST", path), nothing_more, send))
            for path in ["/"] * 20 + ["/webhooks/ses"] * 50
        ]
        await asyncio.sleep(0)
        await guards(_scope("GET", "/"), nothing_more, send)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    asyncio.run(all_of_it())
    assert sent.count(200) == 1
    assert set(sent) == {200, 503}  # 503: reports beyond those that may be read at once


def test_a_form_that_is_cut_off_is_no_wish() -> None:
    came: list[str] = []

    async def app(scope: dict[str, object], _receive: object, _send: object) -> None:
        came.append(str(scope["path"]))

    async def all_of_it() -> None:
        messages = iter(
            [
                {"type": "http.request", "body": b"until=20", "more_body": True},
                {"type": "http.disconnect"},
            ]
        )

        async def receive() -> dict[str, object]:
            return next(messages)

        async def send(message: dict[str, object]) -> None:
            raise AssertionError(message)

        await Guards(app, (), None)(_scope("POST", "/preferences/x/pause"), receive, send)

    asyncio.run(all_of_it())
    assert came == []


def test_a_form_that_is_too_large_is_answered_by_a_page(browser: Browser, desk: Desk) -> None:
    answer = browser.post("/subscribe", {"email": NEW, "interests": "moss, " * 4_000})
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert "nothing was changed" in answer.text
    assert 'href="/"' in answer.text


@pytest.mark.parametrize("digits", [11, 4_301, 7_000])
def test_a_number_beyond_all_papers_is_no_defect(browser: Browser, digits: int) -> None:
    number = "9" * digits
    for path in (f"/papers/{number}", f"/feedback/{TOKEN}/{number}/more"):
        assert browser.get(path).status_code == 404


def test_a_slash_at_the_end_is_answered_without_a_redirect(browser: Browser, desk: Desk) -> None:
    """RFC 8058 §3.1: no redirect; and none that leads to the host that a request names."""
    person = a_person(desk)
    evil = {"host": "evil.example"}
    assert browser.get("/archive/", headers=evil).status_code == 200
    reply = browser.client.post(
        f"/unsubscribe/{browser.token(Purpose.UNSUBSCRIBE, person)}/",
        data={"List-Unsubscribe": "One-Click"},
        headers=evil,
    )
    assert reply.status_code == 200
    assert now_is(desk, person).status is Status.UNSUBSCRIBED
    assert browser.get("/nothing/", headers=evil).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        f"//preferences/{TOKEN}",
        f"/preferences//{TOKEN}/export",
        f"/Preferences/{TOKEN}",
        f"/papers/{TOKEN}",
        f"/https://papers.example/confirm/{TOKEN}",
        f"/confirm/x/{TOKEN}",
        f"/{TOKEN}=",
        f"/confirm%2F{TOKEN}",
    ],
)
def test_no_token_comes_into_the_log_however_its_link_was_mangled(path: str) -> None:
    shown = redacted(path)
    assert TOKEN[-12:] not in shown
    assert TOKEN[:8] not in shown


def test_the_log_tells_pages_and_addresses_apart() -> None:
    assert redacted("/preferences/abc.def.ghi/export") == "/preferences/…/export"
    assert redacted("/archive/2026-03-12") == "/archive/2026-03-12"
    assert redacted(f"/x/{ADA}") == "/x/…"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="until"'
                                            b"\r\n\r\n2026-04-01\r\n--x--\r\n"),
        ("application/json", b'{"until": "2026-04-01"}'),
        ("text/plain", b"until=2026-04-01"),
    ],
)  # fmt: skip
def test_another_kind_of_body_is_not_taken_for_an_empty_form(
    browser: Browser, desk: Desk, kind: str, body: bytes
) -> None:
    person = a_person(desk)
    mine = f"/preferences/{browser.token(Purpose.PREFERENCES, person)}"
    before = all_rows(desk.engine)
    for path in (f"{mine}/pause", mine, "/access"):
        assert (
            browser.client.post(path, content=body, headers={"content-type": kind}).status_code
            == 422
        )
    assert all_rows(desk.engine) == before


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/json", ""])
def test_a_one_click_counts_whatever_its_body_is(browser: Browser, desk: Desk, kind: str) -> None:
    person = a_person(desk)
    path = f"/unsubscribe/{browser.token(Purpose.UNSUBSCRIBE, person)}"
    headers = {"cookie": "a=b", "origin": "https://mail.example", "sec-fetch-site": "cross-site"}
    body = (
        b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--'
    )
    for _ in range(2):
        reply = browser.client.post(path, content=body, headers=headers | {"content-type": kind})
        assert (reply.status_code, "set-cookie" in reply.headers) == (200, False)
    assert now_is(desk, person).status is Status.UNSUBSCRIBED


def test_only_the_latest_opt_out_is_taken_back_by_its_link(
    browser: Browser, desk: Desk, clock: Clock
) -> None:
    person = a_person(desk)
    step = {"channel": Channel.LINK}
    with transaction(desk.engine) as session:
        subscribe.unsubscribe(session, person, now=clock.now, **step)
    first = browser.token(Purpose.UNDO, person)
    assert browser.post(f"/undo/{first}").status_code == 200
    clock.now += timedelta(hours=1)
    with transaction(desk.engine) as session:
        subscribe.unsubscribe(session, person, now=clock.now, **step)
    assert browser.get(f"/undo/{first}").status_code == 409
    assert browser.post(f"/undo/{first}").status_code == 409
    assert now_is(desk, person).status is Status.UNSUBSCRIBED
    assert browser.post(f"/undo/{browser.token(Purpose.UNDO, person)}").status_code == 200
    assert now_is(desk, person).status is Status.ACTIVE


def _moved(desk: Desk, clock: Clock, person: int) -> None:
    with transaction(desk.engine) as session:
        address_change.ask(session, person, NEW, now=clock.now, keys=desk.keys)
        mark = address_change.waiting_for(session, person, clock.now).token
    clock.now += timedelta(minutes=5)
    with transaction(desk.engine) as session:
        address_change.confirm(session, person, mark, now=clock.now, keys=desk.keys)


def test_links_in_an_earlier_mailbox_tell_nothing_of_the_new_address(
    browser: Browser, desk: Desk, clock: Clock
) -> None:
    person = a_person(desk)
    old = {purpose: browser.token(purpose, person) for purpose in Purpose}
    _moved(desk, clock, person)
    settings = f"/preferences/{old[Purpose.PREFERENCES]}"
    before = all_rows(desk.engine)
    for path in (settings, f"{settings}/export", f"/digests/{old[Purpose.READING]}"):
        reply = browser.get(path)
        assert (reply.status_code, NEW in reply.text) == (410, False), path
    assert browser.post(f"{settings}/erase").status_code == 410
    assert all_rows(desk.engine) == before
    assert NEW in browser.get(f"/preferences/{browser.token(Purpose.PREFERENCES, person)}").text
    leave = (
        f"/unsubscribe/{old[Purpose.UNSUBSCRIBE]}"  # must work for ever, without a word too many
    )
    assert NEW not in browser.get(leave).text
    reply = browser.post(leave, {"page": "1"})
    assert (reply.status_code, NEW in reply.text) == (200, False)
    assert now_is(desk, person).status is Status.UNSUBSCRIBED


def test_one_subscriber_cannot_have_many_strangers_written_to(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    path = f"/preferences/{browser.token(Purpose.PREFERENCES, person)}/address"
    statuses = [
        browser.post(path, {"email": f"stranger{n}@lab.example"}).status_code for n in range(8)
    ]
    assert statuses == [200] * 5 + [429] * 3


def test_asking_for_another_address_counts_for_the_network(browser: Browser, desk: Desk) -> None:
    person = a_person(desk)
    limits = visits.VisitLimits(per_network_per_hour=desk.settings.web.per_network_per_hour)
    network = "198.51.100.0/24"
    with transaction(desk.engine) as session:
        for _ in range(limits.per_network_per_hour):
            visits.visit(session, network, limits, desk.clock())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("digest.web.account.network_of", lambda _request: network)
        path = f"/preferences/{browser.token(Purpose.PREFERENCES, person)}/address"
        reply = browser.post(path, {"email": NEW})
    assert reply.status_code == 429
    with reading(desk.engine) as session:
        assert address_change.waiting_for(session, person, desk.clock()) is None


@pytest.mark.parametrize(
    ("email", "status"),
    [("ada@other.example", 422), ("ada@sub.lab.example", 422), ("ada@evillab.example", 422),
     ("ada2@LAB.example", 200), ("ada@bücher.example", 200), ("ada@xn--bcher-kva.example", 200)],
)  # fmt: skip
def test_moving_leads_to_no_domain_that_may_not_join(
    desk: Desk, clock: Clock, tmp_path: Path, email: str, status: int
) -> None:
    web = {"registration_domains": ("lab.example", "Bücher.example")}
    bound = a_desk(desk.engine, clock, tmp_path, registration="domains", web=web)
    browser = Browser(bound)
    person = a_person(bound)
    path = f"/preferences/{browser.token(Purpose.PREFERENCES, person)}/address"
    assert browser.post(path, {"email": email}).status_code == status

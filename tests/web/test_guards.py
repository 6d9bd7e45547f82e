"""The guards: size, method, origin and network of a request, and what its log line may hold."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from digest.web.forms import body_of, form_of, network_of
from digest.web.guards import MOST_BODY, MOST_WEBHOOK_BODY, Guards

SITE = "https://digest.example"


def _echo(request: Request) -> JSONResponse:
    told = {
        "fields": {k: list(v) for k, v in form_of(request).fields.items()},
        "size": len(body_of(request)),
        "network": network_of(request),
    }
    return JSONResponse(told)


def _client(*trusted: str, peer: str = "203.0.113.77", **limits: Any) -> TestClient:
    methods = ["GET", "POST"]
    app = Starlette(routes=[Route("/{path:path}", _echo, methods=methods)])
    guarded = Guards(app, trusted, SITE, **limits)
    return TestClient(guarded, base_url=SITE, client=(peer, 4711))


@pytest.mark.parametrize("path", ["/", "/static/x", "/nothing/here"])
def test_every_answer_has_the_security_headers(path: str) -> None:
    headers = _client().get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["strict-transport-security"]
    assert "set-cookie" not in headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_refused(method: str) -> None:
    reply = _client().request(method, "/")
    assert reply.status_code == 405
    assert "POST" in reply.headers["allow"]


def test_options_tell_what_there_is_and_reach_nobody() -> None:
    reply = _client().options("/unsubscribe/token")
    assert (reply.status_code, reply.content) == (204, b"")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": SITE}, 200),
        ({"sec-fetch-site": "same-origin", "origin": SITE}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({}, 200),  # no browser at all
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://digest.example.evil.example"}, 403),
        ({"origin": "http://digest.example"}, 403),
        ({"origin": "https://digest.example:8443"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://[nonsense"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": SITE}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_forms_come_from_our_own_pages(headers: dict[str, str], status: int) -> None:
    assert _client().post("/subscribe", headers=headers).status_code == status


def test_one_click_and_reports_need_no_origin() -> None:
    foreign = {"origin": "https://mail.example", "sec-fetch-site": "cross-site"}
    for path in ("/unsubscribe/token", "/webhooks/ses"):
        assert _client().post(path, headers=foreign).status_code == 200


def test_a_body_of_more_than_16_kb_is_refused_however_it_comes() -> None:
    def streamed(size: int):
        yield b"a=" + b"x" * (size - 2)

    client = _client()
    assert client.post("/", content=b"x" * MOST_BODY).json()["size"] == MOST_BODY
    assert client.post("/", content=b"x" * (MOST_BODY + 1)).status_code == 413
    assert client.post("/", content=streamed(MOST_BODY + 1)).status_code == 413
    assert client.post("/webhooks/ses", content=b"x" * MOST_WEBHOOK_BODY).status_code == 200
    assert client.post("/webhooks/ses", content=b"x" * (MOST_WEBHOOK_BODY + 1)).status_code == 413


def test_an_endless_address_is_refused() -> None:
    assert _client().get("/?q=" + "x" * 9000).status_code == 414


def test_a_body_that_never_ends_is_given_up() -> None:
    async def stalled() -> list[int]:
        sent: list[int] = []

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                sent.append(message["status"])

        scope = {
            "type": "http", "method": "POST", "path": "/subscribe", "query_string": b"",
            "headers": [], "client": ("203.0.113.7", 1), "scheme": "https",
        }  # fmt: skip
        guarded = Guards(Starlette(), (), SITE, body_s=0.01)
        await guarded(scope, receive, send)
        return sent

    assert asyncio.run(stalled()) == [408]


def test_too_many_at_once_are_told_to_come_again() -> None:
    reply = _client(most=0).get("/")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "network"),
    [
        ((), "203.0.113.77", None, "203.0.113.0/24"),
        ((), "203.0.113.77", "198.51.100.1", "203.0.113.0/24"),  # nobody asked that proxy
        (("203.0.113.0/24",), "203.0.113.77", "198.51.100.1", "198.51.100.0/24"),
        # what the visitor claimed stands left of what the proxy saw
        (("203.0.113.0/24",), "203.0.113.77", "192.0.2.9, 198.51.100.1", "198.51.100.0/24"),
        (("203.0.113.0/24",), "203.0.113.77", "198.51.100.1, 203.0.113.2", "198.51.100.0/24"),
        (("203.0.113.0/24",), "203.0.113.77", "nonsense", "203.0.113.0/24"),
        (("127.0.0.1/32",), "127.0.0.1", "2001:db8:1:2:3::4", "2001:db8:1::/48"),
        (("127.0.0.1/32",), "127.0.0.1", "198.51.100.1:4711", "198.51.100.0/24"),
        (("127.0.0.1/32",), "127.0.0.1", "[2001:db8:1:2::4]:4711", "2001:db8:1::/48"),
        ((), "127.0.0.1", None, ""),
        ((), "::1", None, ""),
        ((), "::ffff:203.0.113.77", None, "203.0.113.0/24"),
    ],
)
def test_only_a_trusted_proxy_is_believed(
    trusted: tuple[str, ...], peer: str, forwarded: str | None, network: str
) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert _client(*trusted, peer=peer).get("/", headers=headers).json()["network"] == network


def test_https_is_remembered_only_behind_https() -> None:
    guarded = Guards(Starlette(), ("127.0.0.1/32",), SITE)
    plain = TestClient(guarded, base_url="http://digest.example", client=("127.0.0.1", 1))
    assert "strict-transport-security" not in plain.get("/").headers
    through = plain.get("/", headers={"x-forwarded-proto": "https"}).headers
    assert through["strict-transport-security"]


@pytest.mark.parametrize(
    "path",
    [
        "/confirm/SECRET", "/unsubscribe/SECRET/reason", "/preferences/SECRET/export",
        "/feedback/SECRET/17/more", "/feeds/SECRET.atom", "/digests/SECRET/2026-03-12",
        "/change-address/SECRET", "/undo/SECRET", "/?invitation=SECRET", "/preview?q=SECRET",
    ],
)  # fmt: skip
def test_no_token_stands_in_the_log(path: str) -> None:
    with capture_logs() as logged:
        _client().get(path)
    assert [line["event"] for line in logged] == ["request"]
    assert "SECRET" not in str(logged)


def test_what_could_confuse_a_terminal_does_not_reach_the_log() -> None:
    with capture_logs() as logged:
        _client().get("/%1b%5b2J%0aforged=1")
    assert "\x1b" not in str(logged[0]["path"])
    assert "\n" not in str(logged[0]["path"])


def test_control_characters_are_taken_out_of_forms() -> None:
    typed = _client().post("/", data={"a": " x\x00y\x1b[2J\r\nz\u202e ", "b": ["1", "2"]}).json()
    assert typed["fields"] == {"a": ["xy[2J\nz"], "b": ["1", "2"]}

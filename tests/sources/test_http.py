import gzip
import threading
import zlib
from datetime import timedelta
from email.utils import format_datetime

import pytest

from digest import __version__
from digest.errors import SourceUnreachable
from digest.sources.http import HttpClient, shown
from digest.sources.pacing import Pacing
from tests.sources.webserver import START, Clock, Reply, Web, a_client


def test_request_says_who_asks_and_what_can_be_unpacked(web: Web, http: HttpClient) -> None:
    web.answers["/"] = [Reply(body=b"hello")]
    assert http.get(web.url + "/").body == b"hello"
    asked = web.asked[0].headers
    assert asked["user-agent"] == f"trending-papers-digest/{__version__} (+ops@example.org)"
    assert asked["accept-encoding"] == "gzip, deflate"


def test_validators_go_out_and_304_means_not_modified(web: Web, http: HttpClient) -> None:
    day = "Thu, 12 Mar 2026 08:00:00 GMT"
    web.answers["/"] = [
        Reply(body=b"x", headers={"ETag": '"v1"', "Last-Modified": day}),
        Reply(304, headers={"ETag": '"v1"'}),
    ]
    first = http.get(web.url + "/")
    assert (first.etag, first.last_modified, first.not_modified) == ('"v1"', day, False)
    again = http.get(web.url + "/", etag=first.etag, last_modified=first.last_modified)
    assert again.not_modified
    assert again.body == b""
    assert web.asked[1].headers["if-none-match"] == '"v1"'
    assert web.asked[1].headers["if-modified-since"] == day


def test_validator_with_a_line_break_is_not_sent(web: Web, http: HttpClient) -> None:
    web.answers["/"] = [Reply(body=b"x")]
    http.get(web.url + "/", etag='"a"\r\nX-Evil: 1')
    assert "if-none-match" not in web.asked[0].headers


def test_redirects_are_followed_up_to_five(web: Web, http: HttpClient) -> None:
    for hop in range(5):
        web.answers[f"/{hop}"] = [Reply(302, headers={"Location": f"/{hop + 1}"})]
    web.answers["/5"] = [Reply(body=b"there")]
    reply = http.get(web.url + "/0")
    assert (reply.body, reply.url) == (b"there", web.url + "/5")


def test_sixth_redirect_is_a_fault(web: Web, http: HttpClient) -> None:
    web.answers["/"] = [Reply(302, headers={"Location": "/"})]
    with pytest.raises(SourceUnreachable, match="more than 5 redirects"):
        http.get(web.url + "/")
    assert len(web.asked) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/", "javascript:alert(1)", ""])
def test_redirect_to_another_scheme_is_refused(web: Web, http: HttpClient, target: str) -> None:
    web.answers["/"] = [Reply(301, headers={"Location": target})]
    with pytest.raises(SourceUnreachable, match=r"only http\(s\) is followed"):
        http.get(web.url + "/")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "nonsense", "http://", ""])
def test_address_that_is_not_http_is_refused(http: HttpClient, url: str) -> None:
    with pytest.raises(SourceUnreachable, match="write https://host/path"):
        http.get(url)


def test_server_errors_are_retried_with_growing_pauses(
    web: Web, http: HttpClient, clock: Clock
) -> None:
    web.answers["/"] = [Reply(503), Reply(502), Reply(body=b"at last")]
    assert http.get(web.url + "/").body == b"at last"
    assert clock.slept == [1.0, 2.0]


def test_tries_are_bounded(web: Web, http: HttpClient) -> None:
    web.answers["/"] = [Reply(500)]
    with pytest.raises(SourceUnreachable, match="HTTP 500, after 4 tries"):
        http.get(web.url + "/")
    assert len(web.asked) == 4


def test_missing_page_is_not_asked_for_twice(web: Web, http: HttpClient) -> None:
    with pytest.raises(SourceUnreachable, match="HTTP 404: nothing there"):
        http.get(web.url + "/")
    assert len(web.asked) == 1


def test_retry_after_in_seconds_is_honoured(web: Web, http: HttpClient, clock: Clock) -> None:
    web.answers["/"] = [Reply(429, headers={"Retry-After": "17"}), Reply(body=b"x")]
    assert http.get(web.url + "/").body == b"x"
    assert clock.slept == [17.0]


def test_retry_after_as_a_date_is_honoured(web: Web, http: HttpClient, clock: Clock) -> None:
    later = format_datetime(START + timedelta(seconds=9), usegmt=True)
    web.answers["/"] = [Reply(503, headers={"Retry-After": later}), Reply(body=b"x")]
    http.get(web.url + "/")
    assert clock.slept == [9.0]


@pytest.mark.parametrize("value", ["soon", "-5", "Thu, 99 Foo 2026", "١٢"])
def test_nonsense_retry_after_falls_back_to_the_usual_pause(
    web: Web, http: HttpClient, clock: Clock, value: str
) -> None:
    safe = value.encode().decode("latin-1")
    web.answers["/"] = [Reply(429, headers={"Retry-After": safe}), Reply(body=b"x")]
    http.get(web.url + "/")
    assert clock.slept == [1.0]


def test_retry_after_beyond_the_deadline_is_a_fault_that_says_so(
    web: Web, http: HttpClient, clock: Clock
) -> None:
    web.answers["/"] = [Reply(429, headers={"Retry-After": "86400"})]
    with pytest.raises(SourceUnreachable, match="asks to wait 86,400 s; the deadline of 60 s"):
        http.get(web.url + "/")
    assert clock.slept == []


def test_slow_body_ends_at_the_deadline(web: Web, clock: Clock) -> None:
    def an_hour_passes() -> None:
        clock.seconds += 3600

    web.answers["/"] = [Reply(body=b"x" * 200_000, during=an_hour_passes)]
    late = pytest.raises(SourceUnreachable, match="not all of it came within 30 s")
    with a_client(clock, deadline_s=30.0) as client, late:
        client.get(web.url + "/")


def test_refused_connection_is_one_clear_fault(http: HttpClient) -> None:
    with pytest.raises(
        SourceUnreachable, match=r"^http://127\.0\.0\.1:9/feed\?…: .+, after 4 tries"
    ):
        http.get("http://127.0.0.1:9/feed?key=SECRET")


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"papers " * 100)),
        ("x-gzip", gzip.compress(b"papers " * 50) + gzip.compress(b"papers " * 50)),
        ("gzip", gzip.compress(b"papers " * 100) + b"\0\0\0"),
        ("deflate", zlib.compress(b"papers " * 100)),
        ("deflate", zlib.compress(b"papers " * 100)[2:-4]),
    ],
    ids=["gzip", "two gzip members", "gzip with padding", "zlib", "bare deflate"],
)
def test_packed_bodies_are_unpacked(
    web: Web, http: HttpClient, encoding: str, packed: bytes
) -> None:
    web.answers["/"] = [Reply(body=packed, headers={"Content-Encoding": encoding})]
    assert http.get(web.url + "/").body == b"papers " * 100


def test_gzip_bomb_stops_at_the_cap(web: Web, clock: Clock) -> None:
    bomb = gzip.compress(b"\0" * 5_000_000)
    assert len(bomb) < 10_000
    web.answers["/"] = [Reply(body=bomb, headers={"Content-Encoding": "gzip"})]
    capped = pytest.raises(SourceUnreachable, match="unpacks to more than 100,000 bytes")
    with a_client(clock, most_bytes=100_000) as client, capped:
        client.get(web.url + "/")
    assert len(web.asked) == 1


def test_long_body_stops_at_the_cap(web: Web, clock: Clock) -> None:
    web.answers["/exact"] = [Reply(body=b"x" * 100_000)]
    web.answers["/over"] = [Reply(body=b"x" * 100_001)]
    with a_client(clock, most_bytes=100_000) as client:
        assert len(client.get(web.url + "/exact").body) == 100_000
        with pytest.raises(SourceUnreachable, match="larger than 100,000 bytes"):
            client.get(web.url + "/over")


def test_encoding_that_was_not_asked_for_is_refused(web: Web, http: HttpClient) -> None:
    web.answers["/"] = [Reply(body=b"x", headers={"Content-Encoding": "br"})]
    with pytest.raises(SourceUnreachable, match="packed as 'br'"):
        http.get(web.url + "/")


def test_packed_body_that_is_cut_off_is_tried_again(web: Web, http: HttpClient) -> None:
    packed = gzip.compress(b"papers")
    headers = {"Content-Encoding": "gzip"}
    web.answers["/"] = [
        Reply(body=packed[:-9], headers=headers),
        Reply(body=b"no gzip at all", headers=headers),
        Reply(body=packed, headers=headers),
    ]
    assert http.get(web.url + "/").body == b"papers"


def test_requests_to_one_host_keep_their_distance(web: Web, http: HttpClient, clock: Clock) -> None:
    web.answers["/"] = [Reply(body=b"x")]
    for _ in range(3):
        http.get(web.url + "/")
    assert clock.slept == [0.5, 0.5]


def test_arxiv_hosts_share_one_turn_every_three_seconds(clock: Clock) -> None:
    pacing = Pacing(clock, clock.sleep)
    for host in ("export.arxiv.org", "rss.arxiv.org", "arxiv.org", "huggingface.co"):
        with pacing.turn(host):
            pass
    assert clock.slept == [3.0, 3.0]


def test_two_threads_never_hold_one_turn(clock: Clock) -> None:
    pacing = Pacing(clock, clock.sleep)
    inside: list[str] = []
    together: list[int] = []

    def ask(host: str) -> None:
        for _ in range(50):
            with pacing.turn(host):
                inside.append(host)
                together.append(len(inside))
                inside.pop()

    hosts = ("rss.arxiv.org", "export.arxiv.org")
    threads = [threading.Thread(target=ask, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(together) == {1}
    assert clock.seconds == pytest.approx(99 * 3.0)


def test_shown_address_hides_secrets() -> None:
    assert shown("https://me:pw@host:8443/a/b?api_key=x#y") == "https://host:8443/a/b?…"

"""Which addresses are connected to, whatever names, redirects and name servers say."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from digest.errors import InvalidInput, SourceUnreachable
from digest.sources.destinations import Allowed, is_outside
from digest.sources.http import HttpClient
from digest.sources.sns import politely
from tests.faults.servers.web import site
from tests.sources.webserver import Clock, Reply, Web, a_client, serving

OUTSIDE = [
    "93.184.216.34", "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255",
    "172.32.0.0", "192.0.1.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111", "2a00::1",
    "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
]  # fmt: skip
INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255",
    "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8",
    "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9",
    "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%lo", "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a00:1::", "2001::1",
    "2001:db8::1", "100::1", "5f00::1", "3fff::1",
]  # fmt: skip


class Names:
    """A resolver whose answers to one name differ from time to time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            (
                socket.AF_INET6 if ":" in one else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (one, port),
            )
            for one in answer
        ]


@contextmanager
def asking(
    clock: Clock, names: Names, *allowed: str, deadline_s: float = 5.0
) -> Iterator[HttpClient]:
    with a_client(
        clock,
        resolve=names,
        allowed=Allowed.of(allowed),
        most_tries=1,
        deadline_s=deadline_s,
    ) as client:
        yield client


def port_of(web: Web) -> str:
    return web.url.rpartition(":")[2]


@pytest.mark.parametrize("address", OUTSIDE)
def test_open_internet_may_be_asked(address: str) -> None:
    assert is_outside(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", INSIDE)
def test_address_of_no_open_network_is_inside(address: str) -> None:
    assert not is_outside(ipaddress.ip_address(address))


def test_name_that_leads_inside_is_refused_before_a_socket_is_made(clock: Clock) -> None:
    names = Names(*([address] for address in INSIDE))
    with asking(clock, names) as client:
        for _ in INSIDE:
            with pytest.raises(SourceUnreachable, match="own network: nothing was asked there"):
                client.get("http://feeds.example.org/rss")
    assert len(names.asked) == len(INSIDE)


def test_name_is_looked_up_once_and_what_was_checked_is_connected_to(
    web: Web, clock: Clock
) -> None:
    web.answers["/"] = [Reply(body=b"mine")]
    names = Names(["127.0.0.1"], ["127.0.0.2"])  # the second answer would be another server
    with asking(clock, names, "127.0.0.1") as client:
        assert client.get(f"http://rebind.example.org:{port_of(web)}/").body == b"mine"
    assert names.asked == ["rebind.example.org"]


def test_rebinding_name_reaches_nothing_inside(web: Web, clock: Clock) -> None:
    web.answers["/"] = [Reply(body=b"a secret of this machine")]
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    url = f"http://rebind.example.org:{port_of(web)}/"
    with asking(clock, names) as client:
        with pytest.raises(SourceUnreachable, match=r"tried to reach 93\.184\.216\.34"):
            client.get(url)  # the checked address, and no other, was connected to
        with pytest.raises(SourceUnreachable, match=r"leads to 127\.0\.0\.1, an address within"):
            client.get(url)
    assert web.asked == []


def test_of_several_addresses_only_those_outside_are_tried(web: Web, clock: Clock) -> None:
    names = Names(["127.0.0.1", "93.184.216.34", "::ffff:127.0.0.1"])
    with (
        asking(clock, names) as client,
        pytest.raises(SourceUnreachable, match=r"tried to reach 93\.184\.216\.34"),
    ):
        client.get(f"http://both.example.org:{port_of(web)}/")
    assert web.asked == []


def test_number_in_another_spelling_is_a_name_that_leads_inside(web: Web, http: HttpClient) -> None:
    for host in ("127.1", "2130706433", "0x7f.1"):
        with pytest.raises(SourceUnreachable, match="own network"):
            http.get(f"http://{host}:{port_of(web)}/")
    assert web.asked == []


def test_source_of_this_machine_may_be_named_by_the_operator(web: Web, http: HttpClient) -> None:
    web.answers["/"] = [Reply(body=b"mine")]
    assert http.get(web.url + "/").body == b"mine"
    assert http.get(f"http://localhost:{port_of(web)}/").body == b"mine"


def test_localhost_that_leads_elsewhere_is_refused(clock: Clock) -> None:
    names = Names(["10.0.0.1"])
    with asking(clock, names) as client, pytest.raises(SourceUnreachable, match="own network"):
        client.get("http://localhost/")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "x.localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]",
     "169.254.169.254", "10.0.0.1", "127.1", "[::ffff:7f00:1]", "user@127.0.0.1"],
)  # fmt: skip
def test_redirect_to_a_private_address_is_refused(web: Web, http: HttpClient, host: str) -> None:
    with serving() as secret:
        secret.answers["/"] = [Reply(body=b"a secret of this machine")]
        target = f"http://{host}:{port_of(secret)}/"
        web.answers["/"] = [Reply(302, headers={"Location": target})]
        with pytest.raises(SourceUnreachable, match="own network: nothing was asked there"):
            http.get(web.url + "/")
        assert secret.asked == []


def test_redirect_to_a_private_address_is_followed_where_the_config_allows(
    web: Web, clock: Clock
) -> None:
    with serving() as second, a_client(clock, allowed=Allowed.of(["127.0.0.0/8"])) as client:
        second.answers["/"] = [Reply(body=b"allowed")]
        web.answers["/"] = [Reply(302, headers={"Location": second.url + "/"})]
        assert client.get(web.url + "/").body == b"allowed"


def test_allowed_connection_is_not_lent_to_a_strangers_redirect(web: Web, http: HttpClient) -> None:
    with serving() as secret:
        secret.answers["/"] = [Reply(body=b"of the operator's own source")]
        http.get(secret.url + "/")  # a kept connection is there now
        web.answers["/"] = [Reply(302, headers={"Location": secret.url + "/"})]
        with pytest.raises(SourceUnreachable, match="own network"):
            http.get(web.url + "/")
        assert len(secret.asked) == 1


def test_name_of_the_own_network_is_asked_where_the_config_allows(web: Web, clock: Clock) -> None:
    web.answers["/"] = [Reply(body=b"of our own")]
    names = Names(["127.0.0.1"])
    with asking(clock, names, "Feeds.LAN") as client:
        assert client.get(f"http://feeds.lan:{port_of(web)}/").body == b"of our own"
        with pytest.raises(SourceUnreachable, match="own network"):
            client.get(f"http://other.lan:{port_of(web)}/")


def test_proxy_of_the_environment_is_asked_wherever_it_is(
    web: Web, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", web.url)
    web.answers["http://feeds.example.org/rss"] = [Reply(body=b"by way of it")]
    web.answers["http://feeds.example.org/in"] = [
        Reply(302, headers={"Location": "http://169.254.169.254/latest"})
    ]
    with asking(clock, Names(["10.9.9.9"])) as client:
        assert client.get("http://feeds.example.org/rss").body == b"by way of it"
        with pytest.raises(SourceUnreachable, match="own network"):
            client.get("http://feeds.example.org/in")


def test_slow_proxy_ends_at_the_deadline_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with site() as slow:
        slow.pages["http://feeds.example.org/"] = lambda site: site.slowly(b"HTTP/1.1 200 " * 99)
        monkeypatch.setenv("HTTP_PROXY", slow.url)
        with (
            HttpClient(deadline_s=0.3, most_tries=1) as client,
            pytest.raises(SourceUnreachable, match=r"within 0\.3 s|no answer in time"),
        ):
            client.get("http://feeds.example.org/")


@pytest.mark.parametrize("listed", ["10.0.0.5/8", "", "http://x/", "a b", "300.1.1.1"])
def test_allowance_that_is_none_is_named(listed: str) -> None:
    with pytest.raises(InvalidInput, match="is no host name, address or network"):
        Allowed.of([listed])


def test_certificates_of_sns_are_never_fetched_from_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(["10.1.2.3"]))
    with pytest.raises(SourceUnreachable, match="own network"):
        politely("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem")


@pytest.mark.parametrize(("nth", "is_reached"), [(6, True), (7, False)])
def test_of_many_addresses_the_first_six_are_tried(
    clock: Clock, nth: int, is_reached: bool
) -> None:
    names = Names([f"127.0.0.{n}" for n in range(1, 200)])
    with socket.create_server((f"127.0.0.{nth}", 0)) as listening:
        listening.setblocking(False)
        with (
            asking(clock, names, "127.0.0.0/8", deadline_s=0.2) as client,
            pytest.raises(SourceUnreachable),  # nobody answers there
        ):
            client.get(f"http://many.example.org:{listening.getsockname()[1]}/")
        if is_reached:
            listening.accept()[0].close()
        else:
            with pytest.raises(BlockingIOError):
                listening.accept()

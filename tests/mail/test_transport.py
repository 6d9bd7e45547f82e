"""Sending to real servers on loopback: what comes through, and what each fault means."""

import asyncio
import shutil
import socket
from pathlib import Path

import pytest

from digest.domain.deliveries import Sent
from digest.domain.relay import Security
from digest.errors import (
    ConfigError,
    PermanentMailError,
    RelayError,
)
from digest.mail.envelope import stuffed
from digest.mail.transport import Relay, RelaySettings
from tests.mail.relays import (
    Inbox,
    Script,
    aiosmtpd_relay,
    lent,
    make_certificate,
    run,
    scripted_relay,
    server_context,
    settings,
)

SENDER, ADA, ALAN = "papers@example.org", "ada@example.com", "alan@example.com"
MAIL = b"Subject: hi\r\n\r\n.leading dot\r\n..two\r\n.\r\nlast\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if not shutil.which("openssl"):
        pytest.skip("openssl is absent")
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_a_mail_arrives_byte_for_byte() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        async with lent(aiosmtpd_relay(inbox)) as connection:
            sent = await connection.send(SENDER, ADA, MAIL)
        assert sent == Sent(code=250, reply="taken")
        assert inbox.mails == [(ADA, MAIL)]

    run(scenario)


def test_many_mails_go_over_one_connection() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        async with aiosmtpd_relay(inbox) as port, Relay(settings(port)) as relay:
            for number in range(20):
                async with relay.connection() as connection:
                    await connection.send(SENDER, f"r{number}@example.com", MAIL)
        assert [recipient for recipient, _ in inbox.mails] == [
            f"r{number}@example.com" for number in range(20)
        ]
        assert inbox.connections == 1

    run(scenario)


def test_no_more_connections_are_made_than_allowed() -> None:
    async def scenario() -> None:
        inbox = Inbox()

        async def one(relay: Relay, number: int) -> None:
            async with relay.connection() as connection:
                await connection.send(SENDER, f"r{number}@example.com", MAIL)

        async with aiosmtpd_relay(inbox) as port, Relay(settings(port, connections=3)) as relay:
            await asyncio.gather(*(one(relay, number) for number in range(30)))
        assert len(inbox.mails) == 30
        assert inbox.connections == 3

    run(scenario)


def test_a_connection_is_renewed_after_its_number_of_messages() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        limited = {"messages_per_connection": 4}
        async with lent(aiosmtpd_relay(inbox), **limited) as connection:
            for _ in range(10):
                await connection.send(SENDER, ADA, MAIL)
        assert (len(inbox.mails), inbox.connections) == (10, 3)

    run(scenario)


def test_a_large_mail_arrives_whole() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        large = b"Subject: x\r\n\r\n" + (b"." + b"x" * 70 + b"\r\n") * 100_000
        async with lent(aiosmtpd_relay(inbox)) as connection:
            await connection.send(SENDER, ADA, large)
        assert inbox.mails == [(ADA, large)]

    run(scenario)


@pytest.mark.parametrize("implicit", [False, True])
def test_tls_is_checked_and_the_login_goes_under_it(
    certificate: tuple[Path, Path], implicit: bool
) -> None:
    async def scenario() -> None:
        inbox = Inbox()
        login = {"username": "ada", "password": "secret", "ca_file": str(certificate[0])}
        security = Security.TLS if implicit else Security.STARTTLS
        server = aiosmtpd_relay(
            inbox,
            tls=server_context(*certificate),
            implicit=implicit,
            authenticator=inbox.authenticate,
            auth_require_tls=not implicit,
        )
        async with lent(server, security=security, **login) as connection:
            await connection.send(SENDER, ADA, MAIL)
        assert inbox.mails == [(ADA, MAIL)]
        assert inbox.logins == [(b"ada", b"secret")]

    run(scenario)


@pytest.mark.parametrize("implicit", [False, True])
def test_a_certificate_that_nobody_vouches_for_stops_everything(
    certificate: tuple[Path, Path], implicit: bool
) -> None:
    async def scenario() -> None:
        inbox = Inbox()
        security = Security.TLS if implicit else Security.STARTTLS
        login = {"username": "ada", "password": "secret"}
        async with aiosmtpd_relay(
            inbox, tls=server_context(*certificate), implicit=implicit
        ) as port:
            relay = Relay(settings(port, security=security, **login))
            with pytest.raises(RelayError, match="certificate"):
                async with relay.connection():
                    pass
        assert (inbox.mails, inbox.logins) == ([], [])

    run(scenario)


def test_a_wrong_password_says_what_to_check() -> None:
    async def scenario() -> None:
        script = Script({"AUTH": ["535 5.7.8 wrong"]}, extensions=("AUTH PLAIN",))
        async with scripted_relay(script) as port:
            relay = Relay(settings(port, username="ada", password="guess"))
            with pytest.raises(RelayError, match=r"535 5\.7\.8 wrong; .*smtp\.password") as caught:
                async with relay.connection():
                    pass
        assert "guess" not in str(caught.value)

    run(scenario)


def test_without_starttls_no_password_is_sent() -> None:
    async def scenario() -> None:
        script = Script(extensions=("AUTH PLAIN LOGIN",))
        async with scripted_relay(script) as port:
            relay = Relay(
                settings(port, security=Security.STARTTLS, username="ada", password="secret")
            )
            with pytest.raises(RelayError, match="no STARTTLS"):
                async with relay.connection():
                    pass
        assert [line.split()[0] for line in script.said] == ["EHLO"]

    run(scenario)


def test_a_password_in_clear_to_another_host_is_refused() -> None:
    with pytest.raises(ConfigError, match="in clear"):
        Relay(RelaySettings(host="relay.example", security=Security.NONE, username="ada"))


def test_a_relay_that_is_not_there_is_named() -> None:
    async def scenario() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(RelayError, match=rf"127\.0\.0\.1:{port}"):
            async with Relay(settings(port)).connection():
                pass

    run(scenario)


@pytest.mark.parametrize("greeting", ["554 go away", "421 busy", "close", "nonsense"])
def test_a_relay_that_does_not_greet_is_a_relay_error(greeting: str) -> None:
    async def scenario() -> None:
        script = Script({"HELLO": [greeting]})
        async with scripted_relay(script) as port:
            with pytest.raises(RelayError):
                async with Relay(settings(port)).connection():
                    pass

    run(scenario)


def test_an_international_address_needs_a_relay_that_takes_it() -> None:
    async def scenario() -> None:
        script = Script()
        async with lent(scripted_relay(script)) as connection:
            with pytest.raises(PermanentMailError, match="international"):
                await connection.send(SENDER, "用户@example.com", MAIL)
            await connection.send(SENDER, "ada@bücher.example", MAIL)
        assert "RCPT TO:<ada@xn--bcher-kva.example>" in script.said
        assert len(script.taken) == 1

    run(scenario)


def test_an_international_address_is_sent_where_it_is_offered() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        async with lent(aiosmtpd_relay(inbox, enable_SMTPUTF8=True)) as connection:
            await connection.send(SENDER, "用户@bücher.example", MAIL)
        assert [recipient for recipient, _ in inbox.mails] == ["用户@xn--bcher-kva.example"]

    run(scenario)


@pytest.mark.parametrize(
    "address", ["a@b.example>\r\nRCPT TO:<eve@example.com", "a@b.example, c@d.example", "", "a b@c"]
)
def test_what_is_not_one_address_never_reaches_the_relay(address: str) -> None:
    async def scenario() -> None:
        script = Script()
        async with lent(scripted_relay(script)) as connection:
            with pytest.raises(PermanentMailError):
                await connection.send(SENDER, address, MAIL)
        assert not any("RCPT" in line for line in script.said)

    run(scenario)


def test_a_relays_words_carry_no_control_characters() -> None:
    async def scenario() -> None:
        script = Script({"RCPT": ["550 \x1b[31mred\x07"]})
        async with lent(scripted_relay(script)) as connection:
            with pytest.raises(PermanentMailError) as caught:
                await connection.send(SENDER, ADA, MAIL)
        assert caught.value.reply == "[31mred"

    run(scenario)


@pytest.mark.parametrize("implicit", [False, True])
def test_grouped_envelopes_and_large_mails_go_under_tls(
    certificate: tuple[Path, Path], implicit: bool
) -> None:
    async def scenario() -> None:
        large = b"Subject: x\r\n\r\n" + (b"." + b"x" * 70 + b"\r\n") * 100_000
        script = Script(extensions=("PIPELINING", "STARTTLS"))
        server = scripted_relay(script, tls=server_context(*certificate), implicit=implicit)
        security = Security.TLS if implicit else Security.STARTTLS
        async with lent(server, security=security, ca_file=str(certificate[0])) as connection:
            for mail in (MAIL, large, MAIL):
                await connection.send(SENDER, ADA, mail)
        assert script.taken == [stuffed(mail) for mail in (MAIL, large, MAIL)]
        assert script.connections == 1

    run(scenario)


def test_words_slipped_in_before_tls_are_not_believed(certificate: tuple[Path, Path]) -> None:
    """CVE-2021-38371 and its kin: a stranger on the line appends to the answer to STARTTLS."""

    async def scenario() -> None:
        slipped = "220 go\r\n250-evil\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n235 welcome"
        script = Script(replies={"STARTTLS": [slipped, slipped]}, extensions=("STARTTLS",))
        server = scripted_relay(script, tls=server_context(*certificate))
        tls = {"security": Security.STARTTLS, "ca_file": str(certificate[0])}
        async with server as port:
            async with Relay(settings(port, **tls, username="ada", password="secret")) as relay:
                with pytest.raises(RelayError, match="AUTH"):
                    async with relay.connection():
                        pass
            assert [line.split()[0] for line in script.said] == ["EHLO", "STARTTLS", "EHLO"]
            async with Relay(settings(port, **tls)) as relay, relay.connection() as connection:
                await connection.send(SENDER, ADA, MAIL)
        assert len(script.taken) == 1
        assert script.grouped == 0

    run(scenario)


def test_words_after_the_greeting_are_not_taken_for_answers() -> None:
    async def scenario() -> None:
        script = Script(replies={"EHLO": ["250 relay\r\n250 ok"]})
        async with scripted_relay(script) as port:
            with pytest.raises(RelayError, match="more than it was asked"):
                async with Relay(settings(port)).connection():
                    pass

    run(scenario)


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ("mail.example.org", "mail.example.org"),
        ("localhost", "[127.0.0.1]"),
        ("", "[127.0.0.1]"),
        ("localhost.localdomain", "[127.0.0.1]"),
        ("my_host.example.org", "[127.0.0.1]"),
        ("1.0.0.127.in-addr.arpa", "[127.0.0.1]"),
    ],
)
def test_hello_gives_a_full_name_or_an_address(
    monkeypatch: pytest.MonkeyPatch, ours: str, said: str
) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: ours)

    async def scenario() -> None:
        script = Script()
        async with lent(scripted_relay(script), local_hostname=None):
            pass
        assert script.said[0] == f"EHLO {said}"

    run(scenario)


def test_the_name_of_the_settings_goes_before() -> None:
    async def scenario() -> None:
        script = Script()
        async with lent(scripted_relay(script), local_hostname="chosen"):
            pass
        assert script.said[0] == "EHLO chosen"

    run(scenario)


def test_a_relay_that_knows_no_ehlo_is_spoken_to_plainly() -> None:
    async def scenario() -> None:
        script = Script(replies={"EHLO": ["502 what"]}, extensions=("PIPELINING", "DSN"))
        async with lent(scripted_relay(script)) as connection:
            await connection.send(SENDER, ADA, MAIL)
        assert script.said[1:3] == ["HELO sender.example", f"MAIL FROM:<{SENDER}>"]
        assert len(script.taken) == 1

    run(scenario)


def test_a_ca_file_that_is_not_there_is_named() -> None:
    async def scenario() -> None:
        missing = {"security": Security.STARTTLS, "ca_file": "no/such.pem"}
        async with scripted_relay(Script()) as port:
            with pytest.raises(RelayError, match=r"no/such\.pem"):
                async with Relay(settings(port, **missing)).connection():
                    pass

    run(scenario)


def test_a_connection_refused_for_now_leaves_the_others_working() -> None:
    async def scenario() -> None:
        script = Script(replies={"HELLO": ["220 hi", "421 4.7.0 too many connections"]})
        async with (
            scripted_relay(script) as port,
            Relay(settings(port)) as relay,
            relay.connection() as connection,
        ):
            with pytest.raises(RelayError, match="too many connections"):
                async with relay.connection():
                    pass
            await connection.send(SENDER, ADA, MAIL)
        assert len(script.taken) == 1

    run(scenario)


@pytest.mark.parametrize(("refusal", "logins"), [("535 5.7.8 wrong", 1), ("454 4.7.0 later", 4)])
def test_a_wrong_password_is_tried_by_one_connection_of_a_run(refusal: str, logins: int) -> None:
    async def scenario() -> None:
        script = Script({"AUTH": [refusal] * 20}, extensions=("AUTH PLAIN",))
        async with scripted_relay(script) as port:
            relay = Relay(settings(port, username="ada", password="guess", connections=4))

            async def ask() -> None:
                with pytest.raises(RelayError, match=r"refused the login: 4|535 5\.7\.8 wrong"):
                    async with relay.connection():
                        pass

            await asyncio.gather(*(ask() for _ in range(4)))
        assert sum(line.startswith("AUTH") for line in script.said) == logins

    run(scenario)


def test_a_refusal_after_a_login_was_taken_is_not_about_the_password() -> None:
    async def scenario() -> None:
        script = Script(
            {"AUTH": ["235 welcome", "535 5.7.8 too many at once", "235 welcome"]},
            extensions=("AUTH PLAIN",),
        )
        async with scripted_relay(script) as port:
            login = {"username": "ada", "password": "secret", "connections": 3}
            async with Relay(settings(port, **login)) as relay, relay.connection() as first:
                with pytest.raises(RelayError, match="too many at once"):
                    async with relay.connection():
                        pass
                async with relay.connection() as third:
                    await third.send(SENDER, ADA, MAIL)
                await first.send(SENDER, ADA, MAIL)
        assert len(script.taken) == 2

    run(scenario)

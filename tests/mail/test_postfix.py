"""Mails through a real Postfix into real mailboxes, over our own protocol."""

import asyncio

import pytest

from digest.domain.relay import Security
from digest.errors import PermanentMailError, RelayError
from digest.mail.message import compose
from digest.mail.transport import Relay, RelaySettings
from tests.mail.relays import run, settings
from tests.mail.test_message import a_letter
from tests.postfix import Postfix

pytestmark = pytest.mark.slow

SENDER = "papers@example.org"
# What Postfix puts before a message that it delivers, and nothing else.
ADDED = ("Return-Path", "X-Original-To", "Delivered-To", "Received")


def a_mail(number: int, recipient: str) -> bytes:
    text = (
        f"Digest {number}\n\n.a line that begins with a dot\n.\nGrüße, 深い学び\n" + "long " * 300
    )
    return compose(
        a_letter(
            recipient=recipient,
            text=text,
            html=f"<p>{text}</p>\n" * 20,
            message_id=f"<digest.{number}@example.org>",
        )
    )


def taken_apart(delivered: bytes) -> tuple[dict[str, str], bytes]:
    """The fields that Postfix added, and the message as it was sent."""
    lines = delivered.decode().splitlines(keepends=True)
    added, at = {}, 0
    while lines[at].partition(":")[0] in ADDED or lines[at][0] in " \t":
        name, _, value = lines[at].partition(":")
        if lines[at][0] not in " \t":
            added[name] = value.strip()
        at += 1
    return added, "".join(lines[at:]).replace("\n", "\r\n").encode()


def secured(postfix: Postfix) -> RelaySettings:
    if not postfix.certificate:
        pytest.skip("openssl is absent")
    ca_file = str(postfix.certificate)
    return settings(postfix.port, security=Security.STARTTLS, ca_file=ca_file, connections=4)


@pytest.mark.parametrize("under_tls", [False, True], ids=["in clear", "under TLS"])
def test_twenty_digests_arrive_byte_for_byte(postfix: Postfix, under_tls: bool) -> None:
    first = 20 * under_tls
    users = [f"reader{number}" for number in range(first, first + 20)]
    sent = {user: a_mail(number, f"{user}@{postfix.domain}") for number, user in enumerate(users)}
    relay = Relay(secured(postfix) if under_tls else settings(postfix.port))

    async def work(waiting: list[str]) -> None:
        async with relay.connection() as connection:
            while waiting:
                user = waiting.pop()
                to = f"{user}@{postfix.domain}"
                done = await connection.send(
                    f"papers+{user}@example.org", to, sent[user], envelope_id=f"<{user}>"
                )
                assert (done.code, done.status) == (250, "2.0.0")

    async def scenario() -> None:
        async with relay:
            await asyncio.gather(*(work(users[part::4]) for part in range(4)))

    run(scenario)
    for user in users:
        (delivered,) = postfix.mails(user)
        added, message = taken_apart(delivered)
        assert message == sent[user]
        assert added["Return-Path"] == f"<papers+{user}@example.org>"
        assert ("with ESMTPS" in delivered.decode()) == under_tls
    assert "improper command pipelining" not in postfix.log


def test_an_unknown_user_is_refused_for_good_and_the_next_mail_goes_on(postfix: Postfix) -> None:
    async def scenario() -> None:
        async with Relay(settings(postfix.port)) as relay, relay.connection() as connection:
            for _ in range(2):
                with pytest.raises(PermanentMailError, match="User unknown") as caught:
                    await connection.send(SENDER, f"nobody@{postfix.domain}", a_mail(1, "x@y.zz"))
                assert (caught.value.code, caught.value.status) == (550, "5.1.1")
                await connection.send(SENDER, f"alan@{postfix.domain}", a_mail(2, "alan@y.zz"))

    run(scenario)
    assert len(postfix.mails("alan", 2)) == 2


def test_an_international_address_gets_its_mail(postfix: Postfix) -> None:
    to = f"用户@{postfix.domain}"
    message = a_mail(3, to)
    assert not message.isascii()

    async def scenario() -> None:
        async with Relay(settings(postfix.port)) as relay, relay.connection() as connection:
            await connection.send("päpers@example.org", to, message)

    run(scenario)
    added, delivered = taken_apart(postfix.mails("用户")[0])
    assert delivered == message
    assert added["Return-Path"] == "<päpers@example.org>"


def test_a_message_above_the_limit_of_the_relay_is_not_even_offered(postfix: Postfix) -> None:
    async def scenario() -> None:
        async with Relay(settings(postfix.port)) as relay, relay.connection() as connection:
            with pytest.raises(PermanentMailError, match="at most 10240000"):
                large = b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n" * 6_000_000
                await connection.send(SENDER, f"grace@{postfix.domain}", large)
            assert connection.is_open

    run(scenario)


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(postfix: Postfix) -> None:
    secured(postfix)

    async def scenario() -> None:
        strict = settings(postfix.port, security=Security.STARTTLS)
        with pytest.raises(RelayError, match="certificate"):
            async with Relay(strict).connection():
                pass

    run(scenario)

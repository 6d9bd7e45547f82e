"""Envelopes over a connection: every refusal and every loss, with PIPELINING and without."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from digest.errors import (
    InDoubtError,
    MailError,
    PermanentMailError,
    RelayError,
    TransientMailError,
)
from digest.mail.transport import Relay
from tests.mail.relays import Script, lent, run, scripted_relay, settings

SENDER, ADA, ALAN = "papers@example.org", "ada@example.com", "alan@example.com"
MAIL = b"Subject: hi\r\n\r\n.leading dot\r\n..two\r\n.\r\nlast\r\n"

ways = pytest.mark.parametrize("offered", [(), ("PIPELINING",)], ids=["one by one", "grouped"])


@ways
@pytest.mark.parametrize(
    ("verb", "reply", "error"),
    [
        ("RCPT", "550 5.1.1 nobody here", PermanentMailError),
        ("RCPT", "450 4.2.1 later", TransientMailError),
        ("DATA", "554 5.7.1 no", PermanentMailError),
        ("DATA", "451 4.3.0 later", TransientMailError),
        (".", "554 5.7.1 spam", PermanentMailError),
        (".", "452 4.3.1 full", TransientMailError),
        ("MAIL", "552 5.3.4 too big", PermanentMailError),
        ("MAIL", "452 4.3.1 full", TransientMailError),
    ],
)
def test_a_refusal_has_its_type_and_the_next_mail_goes_on(
    offered: tuple[str, ...],
    verb: str,
    reply: str,
    error: type[PermanentMailError | TransientMailError],
) -> None:
    async def scenario() -> None:
        script = Script(extensions=offered, replies={verb: [reply]})
        async with lent(scripted_relay(script)) as connection:
            with pytest.raises(error) as caught:
                await connection.send(SENDER, ADA, MAIL)
            assert f"{caught.value.code} {caught.value.reply}" == reply
            await connection.send(SENDER, ALAN, MAIL)
        assert script.connections == 1
        assert script.said.count("RSET") == 1
        assert f"RCPT TO:<{ALAN}>" in script.said

    run(scenario)


@ways
@pytest.mark.parametrize("reply", ["550 5.7.1 not your sender", "530 5.7.0 log in first"])
def test_a_refused_sender_blames_no_recipient(offered: tuple[str, ...], reply: str) -> None:
    async def scenario() -> None:
        script = Script(extensions=offered, replies={"MAIL": [reply]})
        async with scripted_relay(script) as port, Relay(settings(port)) as relay:
            with pytest.raises(RelayError, match=SENDER):
                async with relay.connection() as connection:
                    await connection.send(SENDER, ADA, MAIL)

    run(scenario)


@ways
@pytest.mark.parametrize("answer", ["close", "hang", "999 eh", "gibberish"])
def test_no_clear_answer_after_the_final_dot_leaves_the_mail_in_doubt(
    offered: tuple[str, ...], answer: str
) -> None:
    async def scenario() -> None:
        script = Script(extensions=offered, replies={".": [answer]})
        quick = {"data_timeout_s": 0.2}
        async with lent(scripted_relay(script), **quick) as connection:
            with pytest.raises(InDoubtError):
                await connection.send(SENDER, ADA, MAIL)
            assert not connection.is_open
            await connection.send(SENDER, ALAN, MAIL)
        assert len(script.taken) == 2  # what is in doubt is not sent again by itself
        assert script.connections == 2

    run(scenario)


@ways
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_a_connection_lost_before_the_message_leaves_nothing_in_doubt(
    offered: tuple[str, ...], verb: str
) -> None:
    async def scenario() -> None:
        script = Script(extensions=offered, replies={verb: ["close"]})
        async with scripted_relay(script) as port, Relay(settings(port)) as relay:
            with pytest.raises(RelayError):
                async with relay.connection() as connection:
                    await connection.send(SENDER, ADA, MAIL)
        assert script.taken == []

    run(scenario)


def test_a_connection_lost_within_a_large_message_leaves_nothing_in_doubt() -> None:
    async def scenario() -> None:
        async def cut_within(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in ("220 hi", "250 hi", "250 ok", "250 ok", "354 go"):
                writer.write(answer.encode() + b"\r\n")
                await reader.readline()
            writer.transport.abort()

        server = await asyncio.start_server(cut_within, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(RelayError):
            async with Relay(settings(port)).connection() as connection:
                await connection.send(SENDER, ADA, b"x\r\n" * 5_000_000)
        server.close()

    run(scenario)


@ways
@pytest.mark.parametrize("ending", ["close", "421 too many messages"])
def test_a_connection_that_the_relay_ended_between_mails_is_made_again(
    offered: tuple[str, ...], ending: str
) -> None:
    async def scenario() -> None:
        script = Script(extensions=offered, replies={"MAIL": ["250 ok", ending]})
        async with lent(scripted_relay(script)) as connection:
            await connection.send(SENDER, ADA, MAIL)
            await connection.send(SENDER, ALAN, MAIL)
        assert len(script.taken) == 2
        assert script.connections == 2

    run(scenario)


@ways
@pytest.mark.parametrize("verb", ["RCPT", "."])
def test_421_about_a_message_defers_it_and_renews_the_connection(
    offered: tuple[str, ...], verb: str
) -> None:
    async def scenario() -> None:
        script = Script(extensions=offered, replies={verb: ["421 4.7.0 slow down"]})
        async with lent(scripted_relay(script)) as connection:
            with pytest.raises(TransientMailError):
                await connection.send(SENDER, ADA, MAIL)
            await connection.send(SENDER, ALAN, MAIL)
        assert script.connections == 2

    run(scenario)


@ways
def test_251_after_the_dot_counts_as_taken(offered: tuple[str, ...]) -> None:
    async def scenario() -> None:
        script = Script(
            extensions=offered, replies={".": ["251 will forward"], "RCPT": ["251 will forward"]}
        )
        async with lent(scripted_relay(script)) as connection:
            assert (await connection.send(SENDER, ADA, MAIL)).code == 251

    run(scenario)


@ways
def test_a_cancelled_send_drops_its_connection(offered: tuple[str, ...]) -> None:
    async def scenario() -> None:
        script = Script(extensions=offered, replies={".": ["hang"]})
        async with scripted_relay(script) as port, Relay(settings(port)) as relay:
            async with relay.connection() as connection:
                sending = asyncio.create_task(connection.send(SENDER, ADA, MAIL))
                while not script.taken:
                    await asyncio.sleep(0)
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
                assert not connection.is_open
            async with relay.connection() as connection:
                await connection.send(SENDER, ALAN, MAIL)
        assert script.connections == 2

    run(scenario)


@ways
@pytest.mark.parametrize("answer", ["500 what", "close", "421 bye"])
def test_a_relay_that_will_not_start_afresh_is_left(offered: tuple[str, ...], answer: str) -> None:
    async def scenario() -> None:
        script = Script(replies={"RCPT": ["550 no"], "RSET": [answer]}, extensions=offered)
        async with lent(scripted_relay(script)) as connection:
            with pytest.raises(PermanentMailError):
                await connection.send(SENDER, ADA, MAIL)
            await connection.send(SENDER, ALAN, MAIL)
        assert (script.connections, len(script.taken)) == (2, 1)

    run(scenario)


FAULTS = {"close", "hang", "drip", "flood", "gibberish", "999 eh", "half"}


@ways
@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("verb", ["HELLO", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_every_fault_at_every_place(offered: tuple[str, ...], verb: str, fault: str) -> None:
    async def scenario() -> None:
        script = Script(replies={verb: [fault]}, extensions=offered)
        quick = {"timeout_s": 0.1, "data_timeout_s": 0.1}
        async with scripted_relay(script) as port, Relay(settings(port, **quick)) as relay:
            with pytest.raises(InDoubtError if verb == "." else RelayError):
                async with relay.connection() as connection:
                    await connection.send(SENDER, ADA, MAIL)
            assert len(script.taken) == (verb == ".")
            async with relay.connection() as connection:
                await connection.send(SENDER, ALAN, MAIL)
        assert script.connections == 2
        assert script.said.count(f"RCPT TO:<{ALAN}>") == 1

    run(scenario)


@ways
@pytest.mark.parametrize(
    ("verb", "error"),
    [
        ("HELLO", RelayError),
        ("EHLO", RelayError),
        ("MAIL", RelayError),
        ("RCPT", TransientMailError),
        ("DATA", TransientMailError),
        (".", TransientMailError),
    ],
)
def test_421_at_every_place(offered: tuple[str, ...], verb: str, error: type[MailError]) -> None:
    async def scenario() -> None:
        script = Script(replies={verb: ["421 4.3.2 bye"]}, extensions=offered)
        async with scripted_relay(script) as port, Relay(settings(port)) as relay:
            with pytest.raises(error, match="421"):
                async with relay.connection() as connection:
                    await connection.send(SENDER, ADA, MAIL)
            async with relay.connection() as connection:
                await connection.send(SENDER, ALAN, MAIL)
        assert script.connections == 2

    run(scenario)


Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def relay_that(converse: Converse, *extensions: str) -> AsyncIterator[int]:
    """One that greets, offers PIPELINING, reads an envelope, and then does as told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-relay\r\n250 PIPELINING\r\n")
        await reader.readuntil(b"DATA\r\n")
        await converse(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**26)
    yield server.sockets[0].getsockname()[1]
    server.close()


HUGE = b"Subject: x\r\n\r\n" + b"y" * 20_000_000 + b"\r\n"


@pytest.mark.parametrize(
    ("early", "error"),
    [
        ("552 5.3.4 too big", PermanentMailError),
        ("421 4.3.2 bye", TransientMailError),
        ("250 taken already", RelayError),
    ],
)
def test_an_answer_before_the_end_of_a_message_ends_it(early: str, error: type[MailError]) -> None:
    async def scenario() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
            await reader.readexactly(100)
            writer.write(f"{early}\r\n".encode())
            await reader.read()

        async with lent(relay_that(refuse)) as connection:
            with pytest.raises(error):
                await connection.send(SENDER, ADA, HUGE)
            assert not connection.is_open

    run(scenario)


def test_an_answer_in_advance_is_not_taken_for_the_last() -> None:
    async def scenario() -> None:
        async def foretell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n")
            assert await reader.read() == b""

        async with lent(relay_that(foretell)) as connection:
            with pytest.raises(RelayError, match="before it was sent"):
                await connection.send(SENDER, ADA, MAIL)

    run(scenario)


def test_words_between_two_messages_answer_nothing() -> None:
    async def scenario() -> None:
        script = Script(
            replies={".": ["250 taken\r\n250 ok\r\n250 ok"]}, extensions=("PIPELINING",)
        )
        async with lent(scripted_relay(script)) as connection:
            await connection.send(SENDER, ADA, MAIL)
            await connection.send(SENDER, ALAN, MAIL)
        assert (script.connections, len(script.taken)) == (2, 2)

    run(scenario)


def test_a_cancelled_message_never_gets_its_end() -> None:
    async def scenario() -> None:
        reading, came = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
            await reader.readexactly(100)
            reading.set()
            await cancelled.wait()
            came.set_result(await reader.read())

        cancelled = asyncio.Event()
        async with lent(relay_that(stall)) as connection:
            sending = asyncio.create_task(connection.send(SENDER, ADA, HUGE))
            await reading.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert not connection.is_open
            cancelled.set()
            assert not (await came).endswith(b"\r\n")

    run(scenario)


def test_what_the_relay_offers_shapes_the_envelope() -> None:
    async def scenario() -> None:
        script = Script(extensions=("PIPELINING", "SIZE 1000", "DSN", "8BITMIME", "SMTPUTF8"))
        async with lent(scripted_relay(script)) as connection:
            await connection.send(SENDER, "用户@bücher.example", MAIL, envelope_id="d 17")
            with pytest.raises(PermanentMailError, match="at most 1000"):
                await connection.send(SENDER, ADA, MAIL + b"x" * 1000 + b"\r\n")
            await connection.send(SENDER, ALAN, MAIL)
        assert script.said[1:3] == [
            f"MAIL FROM:<{SENDER}> SIZE={len(MAIL)} BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=d+2017",
            "RCPT TO:<用户@xn--bcher-kva.example> NOTIFY=FAILURE",
        ]
        assert not any(ADA in line for line in script.said)
        assert len(script.taken) == 2

    run(scenario)


@ways
def test_while_a_taken_message_waits_for_its_answer_something_else_is_done(
    offered: tuple[str, ...],
) -> None:
    async def scenario() -> None:
        script = Script(extensions=offered, replies={"RCPT": ["550 5.1.1 nobody here"]})
        taken_before: list[int] = []
        async with lent(scripted_relay(script)) as connection:

            def meanwhile() -> None:
                taken_before.append(len(script.taken))

            with pytest.raises(PermanentMailError):
                await connection.send(SENDER, ADA, MAIL, meanwhile=meanwhile)
            assert taken_before == []
            await connection.send(SENDER, ALAN, MAIL, meanwhile=meanwhile)
        assert taken_before == [0]
        assert len(script.taken) == 1

    run(scenario)

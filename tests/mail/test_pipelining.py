"""Envelopes in one segment (RFC 2920): what goes out together, and what the answers then mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from digest.errors import PermanentMailError, TransientMailError
from tests.mail.relays import Script, lent, run, scripted_relay

SENDER, ADA, ALAN = "papers@example.org", "ada@example.com", "alan@example.com"
MAIL = b"Subject: hi\r\n\r\n.leading dot\r\n..two\r\n.\r\nlast\r\n"


class Segments:
    """A sane relay that keeps apart what came in one piece; it answers when a piece is read."""

    def __init__(self, *extensions: str) -> None:
        self.pieces: list[bytes] = []
        self._hello = "".join(f"250-{line}\r\n" for line in ("relay", *extensions[:-1]))
        self._hello += f"250 {extensions[-1] if extensions else 'relay'}\r\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        while piece := await reader.read(2**20):
            self.pieces.append(piece)
            if piece.endswith(b"\r\n.\r\n"):
                writer.write(b"250 2.0.0 taken\r\n")
                continue
            for line in piece.decode().splitlines():
                verb = line.split(" ")[0]
                said = {"EHLO": self._hello, "DATA": "354 go\r\n"}.get(verb, "250 ok\r\n")
                writer.write(said.encode())
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()


FROM, TO = b"MAIL FROM:<papers@example.org>\r\n", b"RCPT TO:<ada@example.com>\r\n"
WIRED = b"Subject: hi\r\n\r\n..leading dot\r\n...two\r\n..\r\nlast\r\n.\r\n"


@pytest.mark.parametrize(
    ("extensions", "pieces"),
    [
        ((), [FROM, TO, b"DATA\r\n", WIRED]),
        (("8BITMIME", "PIPELINING"), [FROM + TO + b"DATA\r\n", WIRED]),
    ],
)
def test_the_envelope_goes_in_one_segment_where_that_is_offered(
    extensions: tuple[str, ...], pieces: list[bytes]
) -> None:
    async def scenario() -> None:
        relay = Segments(*extensions)
        async with lent(relay.listening()) as connection:
            for _ in range(2):
                sent = await connection.send(SENDER, ADA, MAIL)
        assert sent.status == "2.0.0"
        assert relay.pieces[1:-1] == pieces * 2

    run(scenario)


@pytest.mark.parametrize(
    ("refused", "taken"),
    [
        # the recipient's answer is told, not the 503 that follows from it
        ({"RCPT": ["550 5.1.1 nobody"]}, 0),
        ({"RCPT": ["550 5.1.1 nobody"], "DATA": ["554 no valid recipients"]}, 0),
        ({"RCPT": ["550 5.1.1 nobody"], "DATA": ["nonsense"]}, 0),
        ({"RCPT": ["550 5.1.1 nobody"], "DATA": ["421 bye"]}, 0),
        ({"RCPT": ["550 5.1.1 nobody"], "DATA": ["close"]}, 0),
        # a lone dot ends the message that the relay waits for (RFC 2920 §3.1)
        ({"RCPT": ["550 5.1.1 nobody"], "DATA": ["354 go"], ".": ["554 none"]}, 1),
        ({"RCPT": ["550 5.1.1 nobody"], "DATA": ["354 go"], ".": ["250 well"]}, 1),
        ({"RCPT": ["550 5.1.1 nobody"], "DATA": ["354 go"], ".": ["close"]}, 1),
    ],
)
def test_a_refused_recipient_is_told_whatever_the_relay_says_to_data(
    refused: dict[str, list[str]], taken: int
) -> None:
    async def scenario() -> None:
        script = Script(replies=refused, extensions=("PIPELINING",))
        async with lent(scripted_relay(script)) as connection:
            with pytest.raises(PermanentMailError, match=r"550 5\.1\.1 nobody") as caught:
                await connection.send(SENDER, ADA, MAIL)
            assert caught.value.status == "5.1.1"
            await connection.send(SENDER, ALAN, MAIL)
        assert script.taken[:-1] == [b""] * taken
        assert len(script.taken) == taken + 1

    run(scenario)


def test_a_refused_sender_never_mails_an_empty_message() -> None:
    async def scenario() -> None:
        replies = {"MAIL": ["452 4.3.1 full"], "RCPT": ["250 ok"], "DATA": ["354 go"]}
        script = Script(replies=replies, extensions=("PIPELINING",))
        async with lent(scripted_relay(script)) as connection:
            with pytest.raises(TransientMailError, match="full"):
                await connection.send(SENDER, ADA, MAIL)
            assert not connection.is_open
            await connection.send(SENDER, ALAN, MAIL)
        assert len(script.taken) == 1

    run(scenario)


def test_reset_goes_with_the_next_envelope() -> None:
    async def scenario() -> None:
        script = Script(replies={"RCPT": ["550 no"]}, extensions=("PIPELINING",))
        async with lent(scripted_relay(script)) as connection:
            with pytest.raises(PermanentMailError):
                await connection.send(SENDER, ADA, MAIL)
            assert "RSET" not in script.said
            await connection.send(SENDER, ALAN, MAIL)
            await connection.send(SENDER, ADA, MAIL)
        verbs = [line.split()[0] for line in script.said]
        envelope = ["MAIL", "RCPT", "DATA"]
        assert verbs == ["EHLO", *envelope, "RSET", *envelope, *envelope, "QUIT"]

    run(scenario)

"""Bytes of the relay: replies in any pieces, deadlines, bounds; and commands and messages to it."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.domain.bounces import Stage
from digest.errors import PermanentMailError, RelayError, TransientMailError
from digest.mail.envelope import Envelope, Offers, stuffed, xtext
from digest.mail.handshake import address_literal
from digest.mail.replies import Garbled, Reply, ReplyReader, refused, refused_sender
from digest.mail.wire import CHUNK, Wire
from tests.mail.relays import run

TALK = b"250-one\r\n250-\r\n250 2.0.0 three\r\n354\r\n550 5.1.1 nobody\n"
REPLIES = [Reply(250, "one\n\n2.0.0 three"), Reply(354, ""), Reply(550, "5.1.1 nobody")]
PLAIN = Envelope(sender="papers@example.org", recipient="ada@example.com", id="17")
MAIL = b"Subject: hi\r\n\r\nbody\r\n"


@given(st.lists(st.integers(0, len(TALK)), max_size=12))
def test_replies_are_the_same_in_whatever_pieces_they_come(cuts: list[int]) -> None:
    reader, places = ReplyReader(), sorted({0, *cuts, len(TALK)})
    pieces = [TALK[a:b] for a, b in itertools.pairwise(places)]
    assert [reply for piece in pieces for reply in reader.feed(piece)] == REPLIES
    assert not reader.within


@pytest.mark.parametrize(
    "noise",
    [b"\r\n", b"ok\r\n", b"25\r\n", b"25x ok\r\n", b"HTTP/1.1 400 Bad\r\n", b"250-a\r\noops\r\n"],
)
def test_what_is_no_reply_is_garbled(noise: bytes) -> None:
    with pytest.raises(Garbled, match="no reply of SMTP"):
        list(ReplyReader().feed(noise))


@pytest.mark.parametrize("piece", [b"x" * 1000, b"250-" + b"x" * 996 + b"\r\n"])
def test_a_reply_without_end_is_bounded(piece: bytes) -> None:
    reader = ReplyReader()
    with pytest.raises(Garbled, match="64 KB"):
        for _ in range(70):
            list(reader.feed(piece))


def test_replies_before_the_noise_are_replies() -> None:
    reader = ReplyReader().feed(b"250 ok\r\n550 no\r\noops\r\n")
    assert [next(reader), next(reader)] == [Reply(250, "ok"), Reply(550, "no")]
    with pytest.raises(Garbled):
        next(reader)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(550, "5.1.1 nobody here"), "5.1.1"),
        (Reply(550, "5.7.26 first line\n5.7.26 second"), "5.7.26"),
        (Reply(250, "2.0.0"), "2.0.0"),
        (Reply(550, "4.2.1 of another class"), ""),
        (Reply(550, "5.1.1.9 is no code"), ""),
        (Reply(550, "nobody 5.1.1"), ""),
        (Reply(0, ""), ""),
    ],
)
def test_the_enhanced_code_is_read_from_the_text(reply: Reply, status: str) -> None:
    assert reply.status == status


@pytest.mark.parametrize("code", [250, 251, 252])
def test_every_yes_is_one(code: int) -> None:
    assert refused(Reply(code, ""), Stage.RCPT) is None


def test_a_no_carries_code_text_and_status() -> None:
    error = refused(Reply(450, "4.2.1 \x1b[1mlater\nor never"), Stage.RCPT)
    assert isinstance(error, TransientMailError)
    assert (error.code, error.reply, error.status) == (450, "4.2.1 [1mlater or never", "4.2.1")
    assert error.stage == "rcpt"
    assert isinstance(refused(Reply(550, "no"), Stage.DATA), PermanentMailError)
    for code in (150, 354, 650):
        with pytest.raises(RelayError, match="nonsense"):
            refused(Reply(code, ""), Stage.RCPT)


@pytest.mark.parametrize("code", [421, 530, 550, 553, 554])
def test_a_refused_sender_is_about_all_mail(code: int) -> None:
    with pytest.raises(RelayError, match="papers@"):
        refused_sender(Reply(code, "no"), "papers@example.org")


@pytest.mark.parametrize("code", [450, 452, 501, 504, 552, 555])
def test_a_refused_size_or_parameter_is_about_the_message(code: int) -> None:
    error = refused_sender(Reply(code, "no"), "papers@example.org")
    assert error is not None
    assert error.code == code


def test_offers_are_read_from_keywords() -> None:
    assert Offers.read({}) == Offers()
    read = Offers.read(
        {"pipelining": "", "size": "1000", "8bitmime": "", "smtputf8": "", "dsn": ""}
    )
    assert read == Offers(pipelining=True, size=1000, eight_bit=True, international=True, dsn=True)
    for unlimited in ("", "0", "huge", "-5", "9" * 5000):
        assert Offers.read({"size": unlimited}).size == 0


def test_only_what_is_offered_is_said() -> None:
    bare = (b"MAIL FROM:<papers@example.org>\r\n", b"RCPT TO:<ada@example.com>\r\n")
    assert PLAIN.commands(Offers(), MAIL) == bare
    assert PLAIN.commands(Offers(pipelining=True, eight_bit=True, international=True), MAIL) == bare
    mail, rcpt = PLAIN.commands(Offers(size=0, dsn=True), MAIL)
    assert mail == b"MAIL FROM:<papers@example.org> SIZE=21 RET=HDRS ENVID=17\r\n"
    assert rcpt == b"RCPT TO:<ada@example.com> NOTIFY=FAILURE\r\n"


@pytest.mark.parametrize("envelope_id", ["", "x" * 101, "a\r\nRSET", "é"])
def test_an_id_that_cannot_be_one_is_left_out(envelope_id: str) -> None:
    envelope = Envelope(sender="a@b.example", recipient="c@d.example", id=envelope_id)
    mail, _ = envelope.commands(Offers(dsn=True), MAIL)
    assert mail == b"MAIL FROM:<a@b.example> RET=HDRS\r\n"


def test_xtext_hides_spaces_and_signs() -> None:
    assert xtext("<a+b=c d@e.f>") == "<a+2Bb+3Dc+20d@e.f>"


def test_a_message_above_the_announced_size_is_refused_before_a_word() -> None:
    PLAIN.commands(Offers(size=len(MAIL)), MAIL)
    with pytest.raises(PermanentMailError, match=r"21 bytes.*at most 20") as caught:
        PLAIN.commands(Offers(size=20), MAIL)
    assert (caught.value.code, caught.value.status) == (0, "5.3.4")


def test_what_is_not_ascii_is_declared_or_refused() -> None:
    all_of_it = Offers(eight_bit=True, international=True)
    foreign = Envelope(sender="papers@example.org", recipient="用户@example.com")
    mail, rcpt = foreign.commands(all_of_it, MAIL)
    assert mail == b"MAIL FROM:<papers@example.org> BODY=8BITMIME SMTPUTF8\r\n"
    assert rcpt == "RCPT TO:<用户@example.com>\r\n".encode()
    with pytest.raises(PermanentMailError, match=r"用户@example\.com") as caught:
        foreign.commands(Offers(eight_bit=True), MAIL)
    assert caught.value.status == "5.6.7"
    header, body = "From: é@x.example\r\n\r\nb\r\n".encode(), "A: b\r\n\r\né\r\n".encode()
    assert b"SMTPUTF8" in PLAIN.commands(all_of_it, header)[0]
    assert PLAIN.commands(all_of_it, body)[0].endswith(b"> BODY=8BITMIME\r\n")
    with pytest.raises(PermanentMailError, match="8-bit"):
        PLAIN.commands(Offers(), body)


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (b"", b"\r\n"),
        (b".", b"..\r\n"),
        (b"\n", b"\r\n"),
        (b"a\r", b"a\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n"),
        (b"a\n.\nb\r.\r\n", b"a\r\n..\r\nb\r\n..\r\n"),
        (b"a\r\n\r\n..b", b"a\r\n\r\n...b\r\n"),
    ],
)
def test_dots_are_doubled_and_bare_line_ends_mended(message: bytes, wire: bytes) -> None:
    assert stuffed(message) == wire


@given(st.text(alphabet="\r\n.a").map(str.encode))
def test_a_stuffed_message_never_ends_early_and_comes_back_whole(message: bytes) -> None:
    lines = stuffed(message).split(b"\r\n")
    assert lines.pop() == b""
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert not any(line.startswith(b".") and not line.startswith(b"..") for line in lines)
    unix = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n")
    assert b"\n".join(line.removeprefix(b".") for line in lines) == unix


def test_a_clean_message_is_not_copied() -> None:
    assert stuffed(MAIL) is MAIL


def test_an_address_stands_for_a_name() -> None:
    assert address_literal("192.0.2.7") == "[192.0.2.7]"
    assert address_literal("::1") == "[IPv6:::1]"
    assert address_literal("fe80::1%eth0") == "[IPv6:fe80::1]"


class Peer:
    """The other end of a Wire: a real socket that does only what a test tells it."""

    def __init__(self) -> None:
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter


@asynccontextmanager
async def wired() -> AsyncIterator[tuple[Wire, asyncio.Transport, Peer]]:
    peer, met = Peer(), asyncio.Event()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.reader, peer.writer = reader, writer
        met.set()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    loop = asyncio.get_running_loop()
    address = server.sockets[0].getsockname()
    transport, _ = await loop.create_connection(asyncio.Protocol, *address[:2])
    wire = Wire.take_over(transport)
    await met.wait()
    try:
        yield wire, transport, peer
    finally:
        wire.drop()
        peer.writer.close()
        server.close()


def test_small_writes_leave_at_once() -> None:
    async def scenario() -> None:
        async with wired() as (_, transport, _peer):
            there = transport.get_extra_info("socket")
            assert there.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(scenario)


def test_a_deadline_is_for_the_whole_reply_and_each_has_its_own() -> None:
    async def scenario() -> None:
        async with wired() as (wire, _, peer):

            async def drip() -> None:
                while True:
                    peer.writer.write(b"2")
                    await asyncio.sleep(0)

            peer.writer.write(b"250 ok\r\n")
            assert await wire.reply(60) == Reply(250, "ok")  # a long deadline hides no short one
            dripping = asyncio.create_task(drip())
            with pytest.raises(TimeoutError):
                await wire.reply(0.05)
            dripping.cancel()

    run(scenario)


def test_replies_that_came_are_read_though_the_connection_is_lost() -> None:
    async def scenario() -> None:
        async with wired() as (wire, _, peer):
            peer.writer.write(b"250 one\r\n421 4.3.2 bye\r\n")
            peer.writer.close()
            assert (await wire.reply(5)).text == "one"
            assert (await wire.reply(5)).code == 421
            with pytest.raises(ConnectionError, match="closed"):
                await wire.reply(5)
            with pytest.raises(ConnectionError):
                wire.write(b"MAIL")

    run(scenario)


def test_replies_that_nobody_asked_for_are_bounded() -> None:
    async def scenario() -> None:
        async with wired() as (wire, _, peer):
            peer.writer.write(b"250 ok\r\n" * 1_000_000)
            while wire.is_open:
                await asyncio.sleep(0)
            assert len(list(iter(wire.heard, None))) < 1000
            with pytest.raises(Garbled, match="more replies"):
                await wire.reply(5)

    run(scenario)


def test_a_huge_message_is_handed_over_in_pieces() -> None:
    async def scenario() -> None:
        async with wired() as (wire, transport, peer):
            message = bytes(32 * CHUNK)
            writing = asyncio.create_task(wire.write_all(message, 5))
            while not wire.is_paused:
                await asyncio.sleep(0)
            assert 0 < transport.get_write_buffer_size() <= CHUNK
            assert await peer.reader.readexactly(len(message)) == message
            assert await writing
            assert transport.get_write_buffer_size() == 0

    run(scenario)


def test_a_relay_that_does_not_read_meets_the_deadline() -> None:
    async def scenario() -> None:
        async with wired() as (wire, _, _peer):
            with pytest.raises(TimeoutError):
                await wire.write_all(bytes(200 * CHUNK), 0.05)

    run(scenario)

"""One message after the other over one connection: MAIL, RCPT, DATA, and what is answered.

What matters is *where* a connection was lost: before the final dot nothing was mailed, after it
nobody knows (RFC 1047).
"""

import asyncio
from collections.abc import Callable
from typing import NoReturn

from digest.domain.bounces import Stage
from digest.errors import InDoubtError, RecipientError, RelayError
from digest.faultpoints import reach
from digest.mail.envelope import Envelope, Offers, stuffed
from digest.mail.replies import CLOSING, Reply, refusal, refused, refused_sender, said
from digest.mail.wire import Wire

_GO_ON = 354
_RSET, _DATA, _DOT = b"RSET\r\n", b"DATA\r\n", b".\r\n"


def idle() -> None:
    """Do nothing while the relay has the message."""


class Dialogue:
    """The envelopes of one connection.

    Where the relay offers PIPELINING, an envelope's commands go out as one segment (RFC 2920), else
    one by one. The message always waits for its 354, the next envelope for the final answer.
    """

    def __init__(self, wire: Wire, offers: Offers, timeout_s: float, data_timeout_s: float) -> None:
        self._wire = wire
        self._offers = offers
        self._timeout_s = timeout_s
        self._data_timeout_s = data_timeout_s
        self._unclean = False
        self._used = False

    @property
    def is_open(self) -> bool:
        """Whether another envelope may be tried."""
        return self._wire.is_open

    @property
    def was_used(self) -> bool:
        """Whether an envelope was tried before, so that the relay may have tired of us."""
        return self._used

    async def send(
        self, envelope: Envelope, message: bytes, meanwhile: Callable[[], None] = idle
    ) -> Reply:
        """Send one message, and return the relay's yes; `meanwhile` runs before that is awaited.

        Raises RecipientError as the relay answered, InDoubtError when the connection was lost after
        the final dot, RelayError when nothing was mailed and nobody is to blame. The connection is
        dropped wherever its state is not known, so also when cancelled.
        """
        commands = envelope.commands(self._offers, message)  # what it cannot take, it is not asked
        try:
            return await self._transact(envelope, commands, stuffed(message), meanwhile)
        except RecipientError as exc:
            reach("mail.dialogue.refused")
            self._unclean = True
            if exc.code == CLOSING:
                self._wire.drop()
            raise
        except BaseException:
            self._wire.drop()  # a late 250 must not answer the next command
            raise

    async def quit(self, timeout: float) -> None:
        """Say goodbye; a relay that does not answer is left."""
        try:
            reach("mail.dialogue.quit")
            self._wire.write(b"QUIT\r\n")
            reach("mail.dialogue.quit.said")
            await self._wire.reply(timeout)
            reach("mail.dialogue.quit.answered")
            self._wire.close()
        except OSError:
            pass
        finally:
            if self._wire.is_open:
                self._wire.drop()

    def drop(self) -> None:
        """Cut the connection without a word."""
        self._wire.drop()

    async def _transact(
        self,
        envelope: Envelope,
        commands: tuple[bytes, bytes],
        message: bytes,
        meanwhile: Callable[[], None],
    ) -> Reply:
        if not self._wire.is_silent:
            raise RelayError("the relay said more than it was asked")
        await self._address(envelope, *commands)
        reply = await self._message(message, meanwhile)
        if error := refused(reply, Stage.DATA):
            raise error
        return reply

    async def _address(self, envelope: Envelope, mail: bytes, rcpt: bytes) -> None:
        """The relay waits for the message after this; else raises what it refused first."""
        reset = _RSET if self._unclean else b""
        self._used = True
        reach("mail.dialogue.mail")
        if self._offers.pipelining:
            await self._grouped(envelope, reset, mail, rcpt)
        else:
            await self._one_by_one(envelope, reset, mail, rcpt)

    async def _grouped(self, envelope: Envelope, reset: bytes, mail: bytes, rcpt: bytes) -> None:
        self._write(b"".join((reset, mail, rcpt, _DATA)))
        reach("mail.dialogue.mail.said")
        if reset:
            self._reset(await self._answer())
        error = refused_sender(await self._answer(), envelope.sender)
        if error:
            await self._sober_up(error, mail_refused=True)
        reach("mail.dialogue.mail.answered")
        error = refused(await self._answer(), Stage.RCPT)
        if error:
            await self._sober_up(error, mail_refused=False)
        reach("mail.dialogue.rcpt.answered")
        reply = await self._answer()
        if reply.code != _GO_ON:
            raise refusal(reply, Stage.DATA)

    async def _one_by_one(self, envelope: Envelope, reset: bytes, mail: bytes, rcpt: bytes) -> None:
        if reset:
            self._write(reset)
            self._reset(await self._answer())
        self._write(mail)
        reach("mail.dialogue.mail.said")
        if error := refused_sender(await self._answer(), envelope.sender):
            raise error
        reach("mail.dialogue.mail.answered")
        self._write(rcpt)
        reach("mail.dialogue.rcpt.said")
        if error := refused(await self._answer(), Stage.RCPT):
            raise error
        reach("mail.dialogue.rcpt.answered")
        self._write(_DATA)
        reach("mail.dialogue.data.said")
        reply = await self._answer()
        if reply.code != _GO_ON:
            raise refusal(reply, Stage.DATA)

    def _reset(self, reply: Reply) -> None:
        if not reply.taken:
            raise RelayError(f"the relay would not start afresh: {reply.code} {said(reply.text)}")
        self._unclean = False
        reach("mail.dialogue.rset.answered")

    async def _sober_up(self, error: RecipientError, *, mail_refused: bool) -> NoReturn:
        """Read the answers to what went out with the refused command, then raise the refusal.

        A relay that waits for a message all the same gets a lone dot (RFC 2920 §3.1), unless that
        would mail an empty one.
        """
        try:
            recipient_taken = mail_refused and (await self._answer()).taken
            reply = await self._answer() if error.code != CLOSING else None
            if reply and reply.code == _GO_ON and not recipient_taken:
                self._write(_DOT)
                reply = await self._answer()
        except RelayError:
            reply = None
        if reply is None or reply.code in (_GO_ON, CLOSING):
            self._wire.drop()
        raise error

    async def _message(self, message: bytes, meanwhile: Callable[[], None]) -> Reply:
        """The relay's final answer. RelayError where the final dot never left."""
        wire = self._wire
        reach("mail.dialogue.data.answered")
        if not wire.is_silent:
            raise RelayError("the relay answered the message before it was sent")
        try:
            if not await wire.write_all(message + _DOT, self._data_timeout_s):
                raise ConnectionResetError("the relay answered before its end")
        except OSError as exc:
            early = wire.heard()
            wire.drop()
            if early and early.code >= 400:
                raise refusal(early, Stage.DATA) from exc
            raise RelayError(f"the relay was lost within a message: {said(str(exc))}") from exc
        reach("mail.dialogue.dot.said")
        # soon, and not here: other connections may have a message to write, for which relays wait
        asyncio.get_running_loop().call_soon(meanwhile)
        try:
            reply = await wire.reply(self._data_timeout_s)
            reach("mail.dialogue.dot.answered")
        except OSError as exc:
            raise InDoubtError(f"no answer after the message was sent: {said(str(exc))}") from exc
        if not reply.taken and not 400 <= reply.code < 600:
            raise InDoubtError(f"no clear answer after the message was sent: {reply.code}")
        return reply

    def _write(self, data: bytes) -> None:
        try:
            self._wire.write(data)
        except OSError as exc:
            raise RelayError(f"the relay was lost: {said(str(exc))}") from exc

    async def _answer(self) -> Reply:
        """RelayError when there is none."""
        try:
            return await self._wire.reply(self._timeout_s)
        except OSError as exc:
            raise RelayError(f"the relay was lost: {said(str(exc))}") from exc

"""A relay that takes every mail and writes down whose it was before it says so.

    python -m tests.faults.sink ADDRESS PORT RECORD WAIT_S

Each mail is one line of RECORD, written before the 250: seconds since 1970, the sender's host, the
recipient and the Message-ID, with tabs between them. What is written outlives the process. The 250
comes WAIT_S after that, which is what a real relay's disk and queue take.
"""

import asyncio
import os
import re
import sys
import time

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(rb"<([^>]*)>")
_END = b"\r\n.\r\n"
_HELLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 33554432\r\n"


class Conversation(asyncio.Protocol):
    """One connection, on which commands may come in groups."""

    def __init__(self, record: int, wait_s: float) -> None:
        self._record = record
        self._wait_s = wait_s
        self._heard = bytearray()
        self._message_comes = False
        self._recipient = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peer = transport.get_extra_info("peername")[0]
        self._say(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while self._message() if self._message_comes else self._command():
            pass

    def _command(self) -> bool:
        """Answer the next command; whether there was one."""
        line, end, rest = self._heard.partition(b"\r\n")
        if not end:
            return False
        self._heard = rest
        verb = bytes(line[:4]).upper()
        if verb == b"RCPT" and (address := _ADDRESS.search(line)):
            self._recipient = bytes(address[1])
        self._message_comes = verb == b"DATA"
        if verb == b"QUIT":
            self._say(b"221 2.0.0 bye\r\n")
            self._transport.close()
        else:
            self._say({b"EHLO": _HELLO, b"DATA": b"354 go on\r\n"}.get(verb, b"250 2.0.0 ok\r\n"))
        return True

    def _message(self) -> bool:
        """Take the message once it is whole; whether it was."""
        content, end, rest = self._heard.partition(_END)
        if not end:
            return False
        self._heard, self._message_comes = rest, False
        found = _MESSAGE_ID.search(content)
        fields = (f"{time.time():.6f}", self._peer, self._recipient.decode())
        line = "\t".join((*fields, found[1].decode() if found else ""))
        os.write(self._record, f"{line}\n".encode())
        asyncio.get_running_loop().call_later(self._wait_s, self._say, b"250 2.0.0 taken\r\n")
        return True

    def _say(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(address: str, port: int, path: str, wait_s: float) -> None:
    """Take mail until the process ends."""
    record = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(record, wait_s), address, port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])))

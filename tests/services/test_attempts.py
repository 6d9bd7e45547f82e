"""One try of one message: nothing goes out whose lease is over."""

import asyncio
from typing import cast

from digest.domain.deliveries import DeliveryId, InDoubt, NotTried
from digest.errors import InDoubtError
from digest.mail.transport import Connection
from digest.services.attempts import attempt
from digest.services.mailroom import Outgoing
from digest.store.clock import steady


class Wire:
    """A connection that notes what went over it, and never hears an answer."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, _sender: str, recipient: str, *_rest: object, **_more: object) -> None:
        self.sent.append(recipient)
        raise InDoubtError("no answer")


def tried(wire: Wire, until: float) -> object:
    outgoing = Outgoing(
        id=DeliveryId(1), sender="digest@papers.example", recipient="ada@example.com",
        content=lambda: b"",
    )  # fmt: skip
    message = b"Subject: x\r\n\r\n"
    return asyncio.run(attempt(cast(Connection, wire), outgoing, message, until, lambda: None))


def test_a_message_whose_lease_ran_out_after_it_began_is_not_sent() -> None:
    wire = Wire()
    assert isinstance(tried(wire, steady() - 0.001), NotTried)
    assert wire.sent == []
    assert isinstance(tried(wire, steady() + 60), InDoubt)
    assert wire.sent == ["ada@example.com"]

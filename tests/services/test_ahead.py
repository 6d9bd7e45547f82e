"""Contents made ahead: which, how many, and that nobody gets another's."""

import asyncio
from functools import partial

from digest.domain.deliveries import DeliveryId
from digest.mail.transport import Connection, Relay
from digest.services.ahead import Ahead
from digest.services.mailroom import Outgoing
from tests.mail.relays import Inbox, aiosmtpd_relay, run, settings

MAIL = b"Subject: hi\r\n\r\nwords\r\n"


class Kitchen:
    """Makes messages, and remembers which in what order."""

    def __init__(self):
        self.made = []

    def outgoing(self, number):
        def content():
            self.made.append(number)
            return b"mail %d" % number

        return Outgoing(
            id=DeliveryId(number), sender="a@b.example", recipient="c@d.example", content=content
        )


def test_a_content_made_ahead_is_not_made_again():
    kitchen, ahead = Kitchen(), Ahead(2)
    one, two = kitchen.outgoing(1), kitchen.outgoing(2)
    ahead.line_up([one, two])
    ahead.make_one()
    ahead.make_one()
    assert [ahead.content(two), ahead.content(one)] == [b"mail 2", b"mail 1"]
    assert kitchen.made == [1, 2]


def test_what_was_asked_for_already_is_not_made_ahead():
    kitchen, ahead = Kitchen(), Ahead(2)
    one, two = kitchen.outgoing(1), kitchen.outgoing(2)
    ahead.line_up([one, two])
    assert ahead.content(one) == b"mail 1"
    ahead.make_one()
    assert kitchen.made == [1, 2]
    ahead.make_one()
    assert kitchen.made == [1, 2]


def test_no_more_are_kept_than_may_be():
    kitchen, ahead = Kitchen(), Ahead(2)
    lined_up = [kitchen.outgoing(number) for number in range(5)]
    ahead.line_up(lined_up)
    for _ in lined_up:
        ahead.make_one()
    assert kitchen.made == [0, 1]
    assert ahead.content(lined_up[0]) == b"mail 0"
    ahead.make_one()
    assert kitchen.made == [0, 1, 2]


def test_one_that_comes_back_is_made_anew():
    kitchen, ahead = Kitchen(), Ahead(2)
    one = kitchen.outgoing(1)
    ahead.line_up([one])
    ahead.make_one()
    assert ahead.content(one) == ahead.content(one) == b"mail 1"
    assert kitchen.made == [1, 1]


def test_a_mail_is_made_ahead_between_the_end_of_one_and_its_answer() -> None:
    async def scenario() -> None:
        order: list[str] = []
        inbox = Inbox()

        async def send(connection: Connection, name: str) -> None:
            work = partial(order.append, f"{name} makes another")
            await connection.send("a@b.example", "c@d.example", MAIL, meanwhile=work)
            order.append(f"{name} is answered")

        async with (
            aiosmtpd_relay(inbox) as port,
            Relay(settings(port, connections=2)) as relay,
            relay.connection() as first,
            relay.connection() as second,
        ):
            await asyncio.gather(send(first, "first"), send(second, "second"))
        assert len(inbox.mails) == 2
        for name in ("first", "second"):
            assert order.index(f"{name} makes another") < order.index(f"{name} is answered")

    run(scenario)

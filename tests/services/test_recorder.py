"""What is written together, so that no crash can come between."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.deliveries import Deferred, DeliveryId, Failed, State
from digest.services.recorder import Ask, Recorder
from digest.store import ledger
from digest.store.database import transaction
from digest.store.turns import Ended, Sender
from tests.builders import NOON
from tests.moody import KEYS, queued, states


class Died(Exception):
    """As if the process did at this point."""


def test_delivery_that_is_given_up_and_what_follows_for_its_reader_are_written_together(
    engine: Engine,
) -> None:
    queued(engine, "busy@example.com")
    with transaction(engine) as session:
        (row,) = ledger.claim(session, "me", NOON, timedelta(days=4), 1)
    now = NOON + timedelta(days=3)

    def refused(_session: Session, _delivery: DeliveryId, _result: Failed) -> None:
        raise Died

    async def scenario() -> None:
        recorder = Recorder(
            engine=engine,
            sender=lambda: Sender(owner="me", pepper=KEYS.pepper, now=now, wall=now),
            refused=refused,
            news=lambda _session: None,
            until=lambda: float("inf"),
        )
        try:
            await recorder.turn(Ask(next=row.id))
            answer = Deferred(code=450, reply="4.2.0 try again later")
            with pytest.raises(Died):
                await recorder.turn(Ask(ended=Ended(id=row.id, result=answer)))
        finally:
            recorder.close()

    asyncio.run(scenario())
    assert states(engine) == {State.SENDING: 1}

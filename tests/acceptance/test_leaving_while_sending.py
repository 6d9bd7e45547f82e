"""People leave at random moments while two senders work: nobody who left first is mailed, nobody
waits in a circle, and every row ends.
"""

import random
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from digest.domain.deliveries import MailKind, State
from digest.domain.limits import Limits, Rate
from digest.domain.subscribers import Channel, SubscriberId, SuppressionReason
from digest.services import subscribe as desk
from digest.services.deliver import Delivered, deliver
from digest.store.database import reading, transaction
from digest.store.ledger_read import list_deliveries
from tests.builders import NOON
from tests.moody import KEYS, Moody, options, post_to, queued, states

PEOPLE = 200
LIMITS = Limits.of(Rate(per_second=150), {"example1.com": Rate(per_second=30)}, 6)
ENDED = {State.SENT, State.FAILED, State.CANCELLED}


def now() -> datetime:
    return datetime.now(UTC)


class Crowd:
    """Subscribers with two mails each, every one of whom may leave."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.emails = [f"reader{n}@example{n % 7}.com" for n in range(PEOPLE)]
        self.ids = queued(engine, *self.emails)
        self.left: dict[SubscriberId, datetime] = {}
        with transaction(engine) as session:
            for number in self.ids:
                desk.queue_mail(session, MailKind.WELCOME, number, NOON, KEYS)

    def leave(self, share: int) -> None:
        rng = random.Random(share)
        mine = [number for number in self.ids if number % 3 == share]
        for number in rng.sample(mine, len(mine) // 2):
            self._leave(number, rng.choice(("unsubscribe", "pause", "suppress", "erase")))
            self.left[number] = now()

    def _leave(self, number: SubscriberId, how: str) -> None:
        email = self.emails[self.ids.index(number)]
        with transaction(self.engine) as session:
            match how:
                case "unsubscribe":
                    desk.unsubscribe(session, number, channel=Channel.CLI, now=now())
                case "pause":
                    desk.pause(session, number, channel=Channel.CLI, now=now())
                case "erase":
                    desk.erase(session, number, now=now(), keys=KEYS)
                case _:
                    reason, channel = SuppressionReason.REQUEST, Channel.CLI
                    desk.suppress(session, email, reason, channel=channel, now=now(), keys=KEYS)


@pytest.mark.slow
@pytest.mark.parametrize("limits", [Limits(), LIMITS], ids=["unlimited", "limited"])
def test_who_leaves_while_mail_goes_out_is_not_mailed_any_more(
    engine: Engine, moody: Moody, limits: Limits
) -> None:
    crowd, done = Crowd(engine), list[Delivered]()
    moody.answers = dict.fromkeys(crowd.emails[::10], "550 5.1.1 no such user")
    post = replace(post_to(engine, moody), clock=now, wall=now)
    lease = timedelta(seconds=5)

    def send(owner: str) -> None:
        chosen = options(owner=owner, claim=30, connections=4, limits=limits, lease=lease)
        done.append(deliver(post, chosen))

    jobs = [threading.Thread(target=send, args=(owner,)) for owner in "ab"]
    jobs += [threading.Thread(target=crowd.leave, args=(share,)) for share in range(3)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert len(done) == 2 and len(crowd.left) == sum(
        len([n for n in crowd.ids if n % 3 == share]) // 2 for share in range(3)
    )
    assert states(engine).keys() <= ENDED
    assert max(Counter(mail.recipient for mail in moody.received).values()) <= 2
    with reading(engine) as session:
        rows = list_deliveries(session, limit=0)
    for row in rows:
        if row.begun_at and row.subscriber_id in crowd.left:
            assert row.begun_at <= crowd.left[SubscriberId(row.subscriber_id)]

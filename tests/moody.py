"""A moody SMTP server, and deliveries queued for people to send through it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Peer
from sqlalchemy import Engine

from digest.domain.deliveries import State
from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.relay import Security
from digest.domain.subscribers import Channel, SubscriberId
from digest.mail.links import Site
from digest.mail.render import Renderer
from digest.mail.sink import Sink
from digest.mail.tokens import Tokens
from digest.mail.transport import Relay, RelaySettings
from digest.mail.views import Identity
from digest.services.deliver import DeliverOptions, Post
from digest.services.mailroom import Mailroom
from digest.services.subscribe import Keys, subscribe
from digest.store import outbox
from digest.store.database import reading, transaction
from digest.store.ledger_read import counts
from digest.store.merge import merge_batch
from tests.builders import NOON, a_batch, a_listing, some_interests

KEYS = Keys(pepper="p" * 32, secret="s" * 32, domain="papers.example")
DAY = date(2026, 3, 12)


class Moody(Sink):
    """A server that answers some recipients with what the test says, after the final dot."""

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__()
        self.answers = answers

    async def handle_DATA(self, server: SMTP, session: Peer, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.get(envelope.rcpt_tos[0], "250 OK")
        if answer == "drop":
            assert session.loop is not None
            await super().handle_DATA(server, session, envelope)
            server.transport.abort()
            await asyncio.sleep(0)
            return "250 never heard"
        if answer.startswith("250"):
            await super().handle_DATA(server, session, envelope)
        return answer


@pytest.fixture
def moody() -> Iterator[Moody]:
    with Moody({}) as server:
        yield server


def mailroom_of() -> Mailroom:
    return Mailroom(
        renderer=Renderer(),
        tokens=Tokens(["k" * 32]),
        site=Site(url="https://papers.example"),
        identity=Identity(address="digest@papers.example"),
    )


def post_to(engine: Engine, server: Sink, now: datetime = NOON) -> Post:
    settings = RelaySettings(
        host=server.host, port=server.port, security=Security.NONE, timeout_s=5, data_timeout_s=5
    )
    return Post(
        engine=engine,
        relay=lambda: Relay(settings),
        mailroom=mailroom_of(),
        clock=lambda: now,
        wall=lambda: now,
        jitter=lambda: 0.0,
    )


def options(**changes: Any) -> DeliverOptions:
    standard = DeliverOptions(
        owner="me", lease=timedelta(seconds=30), claim=10, connections=2, pepper=KEYS.pepper
    )
    return replace(standard, **changes)


def queued(engine: Engine, *emails: str) -> list[SubscriberId]:
    """Subscribers with one queued digest each, about one paper."""
    with transaction(engine) as session:
        merge_batch(session, a_batch(a_listing("Learning to Wait", arxiv="2603.00001")), NOON)
    made = []
    with transaction(engine) as session:
        paper = session.connection().exec_driver_sql("SELECT max(id) FROM papers").scalar_one()
        for email in emails:
            person = subscribe(
                session,
                email,
                interests=some_interests("waiting"),
                confirmed=True,
                channel=Channel.CLI,
                now=NOON,
                keys=KEYS,
            )
            reason = Reason(where=Where.TITLE, interest="waiting", words=("Wait",))
            pick = Pick(paper_id=paper, score=1, relevance=1, trend=0, reason=reason)
            outbox.enqueue_digest(
                session,
                person.id,
                Digest(digest_on=DAY, picks=(pick,)),
                edition_id=None,
                message_id=f"<digest.{person.id}@papers.example>",
                now=NOON,
            )
            made.append(person.id)
    return made


def states(engine: Engine) -> dict[State, int]:
    with reading(engine) as session:
        return {state: number for state, number in counts(session).items() if number}

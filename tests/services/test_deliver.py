"""Delivering against a real SMTP server: what is recorded is what happened."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Peer
from sqlalchemy import Engine

from digest.domain.deliveries import State
from digest.domain.digests import Digest, Pick, Reason, Where
from digest.domain.papers import Alias, Scheme
from digest.domain.relay import Security
from digest.domain.subscribers import Channel, SubscriberId
from digest.errors import StoreError, TemplateError
from digest.mail.links import Site
from digest.mail.render import Renderer
from digest.mail.sink import Sink
from digest.mail.tokens import Tokens
from digest.mail.transport import Relay, RelaySettings
from digest.mail.views import Identity
from digest.services.deliver import Delivered, DeliverOptions, Post, deliver
from digest.services.mailroom import Mailroom
from digest.services.subscribe import Keys, subscribe, unsubscribe
from digest.store import ledger, outbox, turns
from digest.store.database import reading, transaction
from digest.store.ledger_read import counts, list_deliveries
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


def _mailroom() -> Mailroom:
    return Mailroom(
        renderer=Renderer(),
        tokens=Tokens(["k" * 32]),
        site=Site(url="https://papers.example"),
        identity=Identity(address="digest@papers.example"),
    )


def _post(engine: Engine, server: Sink, now: datetime = NOON) -> Post:
    settings = RelaySettings(
        host=server.host, port=server.port, security=Security.NONE, timeout_s=5, data_timeout_s=5
    )
    return Post(
        engine=engine,
        relay=lambda: Relay(settings),
        mailroom=_mailroom(),
        clock=lambda: now,
        wall=lambda: now,
        jitter=lambda: 0.0,
    )


def _options(**changes: Any) -> DeliverOptions:
    standard = DeliverOptions(
        owner="me", lease=timedelta(seconds=30), claim=10, connections=2, pepper=KEYS.pepper
    )
    return replace(standard, **changes)


def _queued(engine: Engine, *emails: str) -> list[SubscriberId]:
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


def _states(engine: Engine) -> dict[State, int]:
    with reading(engine) as session:
        return {state: number for state, number in counts(session).items() if number}


def _deliver(post: Post, **options: Any) -> Delivered:
    return deliver(post, _options(**options))


def test_every_queued_digest_arrives_once_and_is_recorded(engine: Engine, moody: Moody) -> None:
    people = [f"reader{n}@example.com" for n in range(25)]
    _queued(engine, *people)
    done = _deliver(_post(engine, moody))
    assert sorted(mail.recipient for mail in moody.received) == sorted(people)
    assert done.sent == 25
    assert _states(engine) == {State.SENT: 25}
    assert _deliver(_post(engine, moody)).sent == 0


def test_limit_sends_so_many_and_leaves_the_rest_queued(engine: Engine, moody: Moody) -> None:
    _queued(engine, *(f"reader{n}@example.com" for n in range(7)))
    assert _deliver(_post(engine, moody), limit=3).sent == 3
    assert _states(engine) == {State.SENT: 3, State.QUEUED: 4}


def test_refusals_fail_or_defer_their_own_mail_alone(engine: Engine, moody: Moody) -> None:
    _queued(engine, "good@example.com", "gone@example.com", "full@example.com")
    moody.answers = {
        "gone@example.com": "550 5.1.1 no such user",
        "full@example.com": "452 4.2.2 mailbox full",
    }
    done = _deliver(_post(engine, moody))
    assert _states(engine) == {State.SENT: 1, State.FAILED: 1, State.DEFERRED: 1}
    assert dict(done.problems).keys() == {"gone@example.com", "full@example.com"}
    assert _deliver(_post(engine, moody)).sent == 0
    moody.answers = {}
    later = _post(engine, moody, NOON + timedelta(minutes=2))
    assert _deliver(later).sent == 1


def test_lost_reply_is_tried_again_with_the_same_message_id_then_held(
    engine: Engine, moody: Moody
) -> None:
    _queued(engine, "doubt@example.com")
    moody.answers = {"doubt@example.com": "drop"}
    _deliver(_post(engine, moody))
    assert _states(engine) == {State.HELD: 1}
    assert len(moody.received) == 2
    assert moody.received[0].content == moody.received[1].content


def test_opt_out_after_queueing_is_never_mailed(engine: Engine, moody: Moody) -> None:
    first, _second = _queued(engine, "leaves@example.com", "stays@example.com")
    with transaction(engine) as session:
        unsubscribe(session, first, channel=Channel.CLI, now=NOON)
    _deliver(_post(engine, moody))
    assert [mail.recipient for mail in moody.received] == ["stays@example.com"]
    assert _states(engine) == {State.SENT: 1, State.CANCELLED: 1}


def test_relay_that_is_down_burns_nothing(engine: Engine, moody: Moody) -> None:
    _queued(engine, "a@example.com", "b@example.com")
    dead = replace(
        _post(engine, moody),
        relay=lambda: Relay(
            RelaySettings(host="127.0.0.1", port=9, security=Security.NONE, timeout_s=2)
        ),
    )
    done = _deliver(dead)
    assert "127.0.0.1:9" in done.relay_error
    assert _states(engine) == {State.QUEUED: 2}
    with reading(engine) as session:
        assert {row.attempts for row in list_deliveries(session)} == {0}
    assert _deliver(_post(engine, moody)).sent == 2


def test_lease_of_a_crashed_sender_is_taken_over_after_it_expired(
    engine: Engine, moody: Moody
) -> None:
    _queued(engine, "a@example.com")
    with transaction(engine) as session:
        ledger.claim(session, "crashed", NOON, timedelta(seconds=30), 10)
    assert _deliver(_post(engine, moody)).sent == 0
    assert _deliver(_post(engine, moody, NOON + timedelta(seconds=31))).sent == 1


def test_stop_leaves_the_rest_in_the_queue(engine: Engine, moody: Moody) -> None:
    _queued(engine, *(f"reader{n}@example.com" for n in range(6)))
    done = deliver(_post(engine, moody), _options(connections=1), stop=lambda: bool(moody.received))
    assert done.sent == 1
    assert _states(engine) == {State.SENT: 1, State.QUEUED: 5}


def test_digest_whose_papers_are_gone_fails_with_the_reason(engine: Engine, moody: Moody) -> None:
    _queued(engine, "a@example.com")
    with transaction(engine) as session:
        session.connection().exec_driver_sql("DELETE FROM papers")
    done = _deliver(_post(engine, moody))
    assert _states(engine) == {State.FAILED: 1}
    assert "none of the digest's papers" in done.problems[0][1]


class Narrow(Moody):
    """A relay that takes two connections at a time and turns away the others."""

    def __init__(self) -> None:
        super().__init__({})
        self._open = 0

    def _protocol(self) -> Any:
        self._open += 1
        return super()._protocol() if self._open <= 2 else TurnedAway()


class TurnedAway(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"421 4.7.0 too many connections\r\n")
        transport.close()


def test_relay_that_allows_fewer_connections_gets_all_the_mail_over_those(engine: Engine) -> None:
    _queued(engine, *(f"reader{n}@example.com" for n in range(12)))
    with Narrow() as narrow:
        done = _deliver(_post(engine, narrow), connections=4)
        assert (done.sent, done.relay_error) == (12, "")
        assert len(narrow.received) == 12


def test_store_that_fails_once_makes_no_mail_go_out_twice(
    engine: Engine, moody: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"reader{n}@example.com" for n in range(8)]
    _queued(engine, *people)
    honest, calls = turns.advance, iter(range(100))

    def busy(*arguments: Any, **options: Any) -> turns.Turn:
        if next(calls) == 2:
            raise StoreError("database is locked")
        return honest(*arguments, **options)

    monkeypatch.setattr(turns, "advance", busy)
    with pytest.raises(StoreError):
        _deliver(_post(engine, moody), connections=4)
    _deliver(_post(engine, moody, NOON + timedelta(minutes=1)))
    assert sorted(mail.recipient for mail in moody.received) == people
    assert _states(engine) == {State.SENT: 8}


def test_papers_united_after_composing_are_one_entry_of_the_mail(
    engine: Engine, moody: Moody
) -> None:
    _queued(engine, "ada@example.com")
    other = a_listing("Patience", aliases=(Alias(scheme=Scheme.DOI, value="10.5555/1"),))
    with transaction(engine) as session:
        merge_batch(session, a_batch(other), NOON)
        paper = session.connection().exec_driver_sql("SELECT max(id) FROM papers").scalar_one()
        picks = json.dumps(
            {"picks": [{"p": p, "s": 1, "r": 1, "t": 0, "w": "title"} for p in (paper - 1, paper)]}
        )
        session.connection().exec_driver_sql(f"UPDATE deliveries SET picks = '{picks}'")
    first = a_listing("Learning to Wait", arxiv="2603.00001")
    both = replace(first, aliases=(*first.aliases, *other.aliases))
    with transaction(engine) as session:
        merge_batch(session, a_batch(both), NOON)
    _deliver(_post(engine, moody))
    assert b"2. " not in moody.received[0].content
    assert b"Subject: 1 paper for you" in moody.received[0].content


def test_damaged_row_fails_alone(engine: Engine, moody: Moody) -> None:
    bad, _good = _queued(engine, "bad@example.com", "good@example.com")
    picks = '{"picks":[{"p":1,"s":1,"r":1,"t":0,"w":"title","x":[1]}]}'
    with transaction(engine) as session:
        session.connection().exec_driver_sql(
            f"UPDATE deliveries SET picks = '{picks}' WHERE subscriber_id = {bad}"
        )
    _deliver(_post(engine, moody))
    assert [mail.recipient for mail in moody.received] == ["good@example.com"]
    assert _states(engine) == {State.SENT: 1, State.FAILED: 1}


def test_wrong_template_is_found_before_the_first_mail_and_burns_nothing(
    engine: Engine, moody: Moody, tmp_path: Path
) -> None:
    folder = tmp_path / "mine" / "mail" / "digest"
    folder.mkdir(parents=True)
    (folder / "body.html").write_text("<p>{% if %}</p>")
    room = Mailroom(
        renderer=Renderer(tmp_path / "mine"),
        tokens=Tokens(["k" * 32]),
        site=Site(),
        identity=Identity(address="digest@papers.example"),
    )
    post = replace(_post(engine, moody), mailroom=room)
    assert not _deliver(post).anything  # nothing to send, so nothing to look at
    _queued(engine, "ada@example.com")
    with pytest.raises(TemplateError, match=r"body\.html, line 1"):
        _deliver(post)
    assert moody.received == []
    assert _states(engine) == {State.QUEUED: 1}

"""Delivering against a real SMTP server: what is recorded is what happened."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from digest.domain.deliveries import State
from digest.domain.papers import Alias, Scheme
from digest.domain.relay import Security
from digest.domain.subscribers import Channel
from digest.errors import StoreError, TemplateError
from digest.mail.links import Site
from digest.mail.render import Renderer
from digest.mail.tokens import Tokens
from digest.mail.transport import Relay, RelaySettings
from digest.mail.views import Identity
from digest.services.deliver import Delivered, Post, deliver
from digest.services.mailroom import Mailroom
from digest.services.subscribe import unsubscribe
from digest.store import ledger, turns
from digest.store.database import reading, transaction
from digest.store.ledger_read import list_deliveries
from digest.store.merge import merge_batch
from tests.builders import NOON, a_batch, a_listing
from tests.moody import Moody, options, post_to, queued, states


def _deliver(post: Post, **changes: Any) -> Delivered:
    return deliver(post, options(**changes))


def test_every_queued_digest_arrives_once_and_is_recorded(engine: Engine, moody: Moody) -> None:
    people = [f"reader{n}@example.com" for n in range(25)]
    queued(engine, *people)
    done = _deliver(post_to(engine, moody))
    assert sorted(mail.recipient for mail in moody.received) == sorted(people)
    assert done.sent == 25
    assert states(engine) == {State.SENT: 25}
    assert _deliver(post_to(engine, moody)).sent == 0


def test_limit_sends_so_many_and_leaves_the_rest_queued(engine: Engine, moody: Moody) -> None:
    queued(engine, *(f"reader{n}@example.com" for n in range(7)))
    assert _deliver(post_to(engine, moody), limit=3).sent == 3
    assert states(engine) == {State.SENT: 3, State.QUEUED: 4}


def test_refusals_fail_or_defer_their_own_mail_alone(engine: Engine, moody: Moody) -> None:
    queued(engine, "good@example.com", "gone@example.com", "full@example.com")
    moody.answers = {
        "gone@example.com": "550 5.1.1 no such user",
        "full@example.com": "452 4.2.2 mailbox full",
    }
    done = _deliver(post_to(engine, moody))
    assert states(engine) == {State.SENT: 1, State.FAILED: 1, State.DEFERRED: 1}
    assert dict(done.problems).keys() == {"gone@example.com", "full@example.com"}
    assert _deliver(post_to(engine, moody)).sent == 0
    moody.answers = {}
    later = post_to(engine, moody, NOON + timedelta(minutes=2))
    assert _deliver(later).sent == 1


def test_lost_reply_is_tried_again_with_the_same_message_id_then_held(
    engine: Engine, moody: Moody
) -> None:
    queued(engine, "doubt@example.com")
    moody.answers = {"doubt@example.com": "drop"}
    _deliver(post_to(engine, moody))
    assert states(engine) == {State.HELD: 1}
    assert len(moody.received) == 2
    assert moody.received[0].content == moody.received[1].content


def test_opt_out_after_queueing_is_never_mailed(engine: Engine, moody: Moody) -> None:
    first, _second = queued(engine, "leaves@example.com", "stays@example.com")
    with transaction(engine) as session:
        unsubscribe(session, first, channel=Channel.CLI, now=NOON)
    _deliver(post_to(engine, moody))
    assert [mail.recipient for mail in moody.received] == ["stays@example.com"]
    assert states(engine) == {State.SENT: 1, State.CANCELLED: 1}


def test_relay_that_is_down_burns_nothing(engine: Engine, moody: Moody) -> None:
    queued(engine, "a@example.com", "b@example.com")
    dead = replace(
        post_to(engine, moody),
        relay=lambda: Relay(
            RelaySettings(host="127.0.0.1", port=9, security=Security.NONE, timeout_s=2)
        ),
    )
    done = _deliver(dead)
    assert "127.0.0.1:9" in done.relay_error
    assert states(engine) == {State.QUEUED: 2}
    with reading(engine) as session:
        assert {row.attempts for row in list_deliveries(session)} == {0}
    assert _deliver(post_to(engine, moody)).sent == 2


def test_lease_of_a_crashed_sender_is_taken_over_after_it_expired(
    engine: Engine, moody: Moody
) -> None:
    queued(engine, "a@example.com")
    with transaction(engine) as session:
        ledger.claim(session, "crashed", NOON, timedelta(seconds=30), 10)
    assert _deliver(post_to(engine, moody)).sent == 0
    assert _deliver(post_to(engine, moody, NOON + timedelta(seconds=31))).sent == 1


def test_stop_leaves_the_rest_in_the_queue(engine: Engine, moody: Moody) -> None:
    queued(engine, *(f"reader{n}@example.com" for n in range(6)))
    done = deliver(
        post_to(engine, moody), options(connections=1), stop=lambda: bool(moody.received)
    )
    assert done.sent == 1
    assert states(engine) == {State.SENT: 1, State.QUEUED: 5}


def test_digest_whose_papers_are_gone_fails_with_the_reason(engine: Engine, moody: Moody) -> None:
    queued(engine, "a@example.com")
    with transaction(engine) as session:
        session.connection().exec_driver_sql("DELETE FROM papers")
    done = _deliver(post_to(engine, moody))
    assert states(engine) == {State.FAILED: 1}
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
    queued(engine, *(f"reader{n}@example.com" for n in range(12)))
    with Narrow() as narrow:
        done = _deliver(post_to(engine, narrow), connections=4)
        assert (done.sent, done.relay_error) == (12, "")
        assert len(narrow.received) == 12


def test_store_that_fails_once_makes_no_mail_go_out_twice(
    engine: Engine, moody: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"reader{n}@example.com" for n in range(8)]
    queued(engine, *people)
    honest, calls = turns.advance, iter(range(100))

    def busy(*arguments: Any, **options: Any) -> turns.Turn:
        if next(calls) == 2:
            raise StoreError("database is locked")
        return honest(*arguments, **options)

    monkeypatch.setattr(turns, "advance", busy)
    with pytest.raises(StoreError):
        _deliver(post_to(engine, moody), connections=4)
    _deliver(post_to(engine, moody, NOON + timedelta(minutes=1)))
    assert sorted(mail.recipient for mail in moody.received) == people
    assert states(engine) == {State.SENT: 8}


def test_papers_united_after_composing_are_one_entry_of_the_mail(
    engine: Engine, moody: Moody
) -> None:
    queued(engine, "ada@example.com")
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
    _deliver(post_to(engine, moody))
    assert b"2. " not in moody.received[0].content
    assert b"Subject: 1 paper for you" in moody.received[0].content


def test_damaged_row_fails_alone(engine: Engine, moody: Moody) -> None:
    bad, _good = queued(engine, "bad@example.com", "good@example.com")
    picks = '{"picks":[{"p":1,"s":1,"r":1,"t":0,"w":"title","x":[1]}]}'
    with transaction(engine) as session:
        session.connection().exec_driver_sql(
            f"UPDATE deliveries SET picks = '{picks}' WHERE subscriber_id = {bad}"
        )
    _deliver(post_to(engine, moody))
    assert [mail.recipient for mail in moody.received] == ["good@example.com"]
    assert states(engine) == {State.SENT: 1, State.FAILED: 1}


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
    post = replace(post_to(engine, moody), mailroom=room)
    assert not _deliver(post).anything  # nothing to send, so nothing to look at
    queued(engine, "ada@example.com")
    with pytest.raises(TemplateError, match=r"body\.html, line 1"):
        _deliver(post)
    assert moody.received == []
    assert states(engine) == {State.QUEUED: 1}

"""From orders to mails, read back by the email package and checked by dkimpy."""

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import Engine

from digest.domain.deliveries import DeliveryId, MailKind
from digest.domain.digests import Digest
from digest.domain.feedback import Opinion
from digest.domain.papers import Paper, PaperId
from digest.domain.subscribers import MOST_PAPERS, Preferences, Status
from digest.errors import ConfigError, MailError, NotFound
from digest.mail.links import Site
from digest.mail.render import Renderer
from digest.mail.tokens import Purpose, Tokens
from digest.mail.verp import Verp
from digest.mail.views import Identity
from digest.services.mailroom import Mailroom, Order
from digest.store.database import reading, transaction
from digest.store.ledger import Claimed
from digest.store.merge import merge_batch
from digest.store.papers import papers_by_id
from tests.builders import NOON, a_batch, a_listing, a_subscriber
from tests.mail.mails import a_pick, a_rich_paper
from tests.mail.signatures import a_signer, records, verdicts

SITE = Site(url="https://papers.example")
AT = datetime(2026, 3, 12, 8, tzinfo=UTC)
TOKENS = Tokens(["k" * 32])
IDENTITY = Identity(name="Trending papers", address="digest@papers.example")
POLICIES = (email.policy.default, email.policy.compat32)


def a_room(site: Site = SITE, identity: Identity = IDENTITY, **changes: Any) -> Mailroom:
    return Mailroom(Renderer(), TOKENS, site, identity, **changes)


def an_order(papers: Sequence[Paper], **changes: Any) -> Order:
    values: dict[str, Any] = {
        "kind": MailKind.DIGEST,
        "subscriber": a_subscriber("ada@example.com", "continual learning", number=7),
        "message_id": "<digest.abc@papers.example>",
        "queued_at": AT,
        "digest": Digest(digest_on=date(2026, 3, 12), picks=tuple(map(a_pick, papers))),
        "considered": 212,
    }
    return Order(**values | changes)


def mail_of(room: Mailroom, order: Order, papers: Sequence[Paper], **changes: Any) -> bytes:
    return room.mail(order, {paper.id: paper for paper in papers}, **changes).content


def a_digest(room: Mailroom, **changes: Any) -> EmailMessage:
    papers = [a_rich_paper(1), a_rich_paper(2)]
    return parsed(mail_of(room, an_order(papers, **changes), papers))


def parsed(content: bytes) -> EmailMessage:
    found = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("count", [1, 10, 50])
def test_what_is_shown_is_what_the_parts_hold(policy: Any, count: int) -> None:
    papers = [a_rich_paper(n, title=f"Über Tides {n}") for n in range(1, count + 1)]
    mail = a_room().mail(an_order(papers), {paper.id: paper for paper in papers})
    found = email.message_from_bytes(mail.content, policy=policy)
    text, html = found.get_payload()
    told = [part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in (text, html)]
    assert told == [mail.rendered.text, mail.rendered.html]
    for name in ("From", "To", "Date", "Subject", "Message-ID", "MIME-Version"):
        assert len(found.get_all(name)) == 1


def test_lines_are_short_and_all_end_alike() -> None:
    papers = [a_rich_paper(n, title=f"深い学び {n}") for n in range(1, 11)]
    room = a_room(identity=replace(IDENTITY, name="Ä" * 300), signer=a_signer())
    content = mail_of(room, an_order(papers), papers)
    assert content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n")
    head, _, body = content.partition(b"\r\n\r\n")
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert b"\r\n." not in content
    assert content.isascii()
    assert re.search(rb"[^\r\n]\r\n\Z", content)


def test_the_same_order_gives_the_same_bytes_at_every_try() -> None:
    papers = [a_rich_paper(1), a_rich_paper(2)]
    order = an_order(papers)
    signer = a_signer()
    room = a_room(signer=signer)
    again = a_room(signer=signer)
    assert mail_of(room, order, papers) == mail_of(room, order, papers)
    assert mail_of(room, order, papers) == mail_of(again, order, papers)


def test_a_digest_carries_what_bulk_senders_must_say() -> None:
    mail = a_digest(a_room())
    leave = TOKENS.sign(Purpose.UNSUBSCRIBE, "7", AT)
    change = TOKENS.sign(Purpose.PREFERENCES, "7", AT)
    assert mail["List-Id"] == "Trending papers <digest.papers.example>"
    assert mail["List-Unsubscribe"] == (
        f"<https://papers.example/unsubscribe/{leave}>, "
        f"<mailto:digest@papers.example?subject=unsubscribe%20{leave}>"
    )
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Help"] == f"<https://papers.example/preferences/{change}>"
    assert mail["List-Owner"] == "<mailto:digest@papers.example>"
    assert mail["List-Archive"] == "<https://papers.example/archive>"
    assert mail["List-Post"] == "NO"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Precedence"] is None
    assert mail["Reply-To"] is None


def test_the_feedback_id_has_three_fields_and_a_sender_of_5_to_15_characters() -> None:
    fields = a_digest(a_room())["Feedback-ID"].split(":")
    assert fields[:3] == ["20260312", "digest", "papers.example"]
    assert re.fullmatch(r"[a-z0-9]{5,15}", fields[3])
    assert len(fields) == 4


def test_answers_and_questions_go_where_the_operator_wants_them() -> None:
    identity = replace(IDENTITY, reply_to="answers@papers.example", contact="owner@lab.example")
    mail = a_digest(a_room(identity=identity, leave_at="returns@papers.example"))
    assert mail["Reply-To"] == "answers@papers.example"
    assert mail["List-Owner"] == "<mailto:owner@lab.example>"
    assert "<mailto:returns@papers.example?subject=unsubscribe%20" in mail["List-Unsubscribe"]
    page = replace(identity, contact="https://lab.example/contact")
    assert a_digest(a_room(identity=page))["List-Owner"] == "<https://lab.example/contact>"


def test_without_a_site_there_is_no_archive_no_one_click_and_no_vote() -> None:
    mail = a_digest(a_room(site=Site()))
    assert mail["List-Archive"] is None
    assert mail["List-Unsubscribe-Post"] is None
    assert mail["List-Unsubscribe"].startswith("<mailto:")
    assert mail["List-Help"] == "<mailto:digest@papers.example>"
    assert "/feedback/" not in str(mail)
    assert "/digests/" not in str(mail)


def test_a_digest_can_be_read_in_the_browser_by_this_reader() -> None:
    papers = [a_rich_paper(1), a_rich_paper(2)]
    rendered = a_room().mail(an_order(papers), {paper.id: paper for paper in papers}).rendered
    token = TOKENS.sign(Purpose.READING, "7", AT)
    link = f"https://papers.example/digests/{token}/2026-03-12"
    assert TOKENS.read(Purpose.READING, token, AT) == "7"
    for body in (rendered.text, rendered.html or ""):
        assert body.count(link) == 1
        assert body.index(link) < body.rindex("Tidepool 2")


def test_each_paper_can_be_voted_on_by_links_of_this_reader() -> None:
    papers = [a_rich_paper(1), a_rich_paper(2)]
    rendered = a_room().mail(an_order(papers), {paper.id: paper for paper in papers}).rendered
    token = TOKENS.sign(Purpose.FEEDBACK, "7", AT)
    for body in (rendered.text, rendered.html or ""):
        voted = re.findall(r"https://papers\.example/feedback/([^/\s\"]+)/(\d)/(more|less)", body)
        assert voted == [(token, number, way) for number in "12" for way in ("more", "less")]
    assert TOKENS.read(Purpose.FEEDBACK, token, AT) == "7"
    assert f"{SITE.feedback(token, papers[1].id, Opinion.LESS)}" in rendered.text


@pytest.mark.parametrize("kind", [MailKind.CONFIRM, MailKind.WELCOME, MailKind.ACCESS])
def test_every_kind_of_mail_can_be_left_by_one_click(kind: MailKind) -> None:
    mail = parsed(mail_of(a_room(), an_order([], kind=kind, digest=None, token="t"), []))
    assert mail["List-Unsubscribe"].startswith("<https://papers.example/unsubscribe/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Feedback-ID"].startswith(f"20260312:{kind.value}:")
    assert "/feedback/" not in str(mail)


def test_the_link_to_the_settings_is_the_readers_own() -> None:
    order = an_order([], kind=MailKind.ACCESS, digest=None, token="t")
    rendered = a_room().mail(order, {}).rendered
    link = f"https://papers.example/preferences/{TOKENS.sign(Purpose.PREFERENCES, '7', AT)}"
    assert rendered.subject == "Your settings: Trending papers, by mail"
    for body in (rendered.text, rendered.html or ""):
        assert link in body
        assert "continual learning" in body
        assert "paused" not in body
    paused = replace(order, subscriber=a_subscriber(number=7, status=Status.PAUSED))
    assert "paused at present" in " ".join(a_room().mail(paused, {}).rendered.text.split())


def a_change(**changes: Any) -> Order:
    """A change of address of Ada's to another."""
    values = {"kind": MailKind.CHANGE_ADDRESS, "digest": None, "token": "0123456789abcdef.20260312"}
    return an_order([], **values | {"recipient": "ada@new.example"} | changes)


def test_a_new_address_is_asked_and_told_nothing_of_who_wants_it() -> None:
    content = mail_of(a_room(), a_change(), [])
    mail = parsed(content)
    assert mail["To"] == "ada@new.example"
    assert mail["List-Help"] == mail["List-Owner"] == "<mailto:digest@papers.example>"
    assert mail["List-Unsubscribe"] is None
    assert mail["List-Unsubscribe-Post"] is None
    assert mail["Feedback-ID"].startswith("20260312:change_address:")
    token = TOKENS.sign(Purpose.CHANGE_ADDRESS, "7:0123456789abcdef", AT)
    rendered = a_room().mail(a_change(), {}).rendered
    for body in (rendered.text, rendered.html or ""):
        assert f"https://papers.example/change-address/{token}" in body
        assert "ends after 2 days" in " ".join(body.split())
        for secret in ("ada@example.com", "continual learning", "08:00", "/preferences/"):
            assert secret not in body
        assert "/unsubscribe/" not in body


def test_a_new_address_is_asked_without_a_site_too() -> None:
    mail = parsed(mail_of(a_room(site=Site()), a_change(), []))
    assert "reply to this mail" in " ".join(str(mail.get_body(("plain",))).split())
    assert "http" not in str(mail)


def test_there_is_no_mail_of_a_kind_that_goes_to_nobody_here() -> None:
    with pytest.raises(MailError, match="alert"):
        mail_of(a_room(), an_order([], kind=MailKind.ALERT, digest=None), [])


def test_readers_of_text_get_a_single_part() -> None:
    subscriber = a_subscriber("ada@example.com", "tides", preferences=Preferences(text_only=True))
    mail = a_digest(a_room(signer=a_signer()), subscriber=subscriber)
    assert mail.get_content_type() == "text/plain"
    assert "Tidepool 2" in mail.get_content()


@pytest.mark.parametrize("text_only", [False, True])
def test_the_signature_holds(text_only: bool) -> None:
    papers = [a_rich_paper(1)]
    reader = a_subscriber("ada@example.com", "é", preferences=Preferences(text_only=text_only))
    content = mail_of(a_room(signer=a_signer()), an_order(papers, subscriber=reader), papers)
    assert verdicts(content, *records(a_signer())) == [True, True]


def test_a_test_copy_is_marked_in_its_subject() -> None:
    papers = [a_rich_paper(1)]
    mail = parsed(mail_of(a_room(), an_order(papers), papers, subject_prefix="[Test] "))
    assert mail["Subject"].startswith("[Test] 1 paper for you: ")


def test_a_digest_whose_papers_are_gone_is_an_error() -> None:
    with pytest.raises(NotFound):
        mail_of(a_room(), an_order([a_rich_paper(1)]), [])


def test_papers_found_to_be_one_since_are_one_entry() -> None:
    one, two = a_rich_paper(1), a_rich_paper(2)
    mail = a_room().mail(an_order([one, two]), {one.id: one, two.id: one}).rendered
    assert mail.text.count("Continual Learning by Forgetting") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"reply_to": "nobody"},
        {"contact": "a@b.example, c@d.example"},
        {"address": "digest@papers.example\r\nBcc: x@y.example"},
        {"contact": "https://x.example/\r\nX: y"},
    ],
)
def test_a_sender_that_cannot_stand_in_a_mail_stops_the_run(changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"\[sender\]"):
        a_room(identity=replace(IDENTITY, **changes)).check()


def test_each_delivery_has_its_own_envelope_sender(engine: Engine) -> None:
    with transaction(engine) as session:
        merge_batch(session, a_batch(a_listing(arxiv="2603.00001")), NOON)
    verp = Verp("returns@papers.example", ["k" * 32])
    order = an_order([a_rich_paper(1)])
    rows = [
        Claimed(
            recipient="ada@example.com",
            id=DeliveryId(number),
            kind=order.kind,
            subscriber=order.subscriber,
            message_id=order.message_id,
            token="",
            edition_id=None,
            digest=order.digest,
            attempts=0,
            doubtful=0,
            queued_at=AT,
        )
        for number in (41, 42)
    ]
    with reading(engine) as session:
        sent = a_room(verp=verp).outgoing(session, rows)
        plainly = a_room().outgoing(session, rows)
    assert [verp.read(one.sender) for one in sent] == [41, 42]
    assert [one.sender for one in plainly] == ["digest@papers.example"] * 2
    assert all(isinstance(one.content(), bytes) for one in sent)


def test_mails_of_prepared_papers_are_the_same(engine: Engine) -> None:
    ready, plain = a_room(), a_room()
    with transaction(engine) as session:
        merge_batch(session, a_batch(a_listing("On Waiting", arxiv="2603.00001")), NOON)
    with reading(engine) as session:
        papers = papers_by_id(session, [PaperId(1)])
        digest = Digest(digest_on=date(2026, 3, 12), picks=(a_pick(papers[PaperId(1)]),))
        gone = replace(digest, picks=(digest.picks[0]._replace(paper_id=PaperId(99)),))
        rows = [
            Claimed(
                id=DeliveryId(number),
                kind=MailKind.DIGEST,
                subscriber=a_subscriber(),
                recipient="ada@example.com",
                message_id=f"<{number}@example.com>",
                token="",
                edition_id=None,
                digest=content,
                attempts=0,
                doubtful=0,
                queued_at=NOON,
            )
            for number, content in enumerate((digest, gone), start=1)
        ]
        ready.prepare(session, rows)
        prepared, made = (
            [one.content() for one in room.outgoing(session, rows)] for room in (ready, plain)
        )
    assert prepared[0] == made[0]
    assert isinstance(prepared[0], bytes)
    assert isinstance(prepared[1], NotFound)  # told when it is sent, not before


def test_the_longest_digest_is_a_mail_of_less_than_100_kb() -> None:
    papers = [a_rich_paper(number) for number in range(1, MOST_PAPERS + 1)]
    mail = a_room(signer=a_signer()).mail(an_order(papers), {paper.id: paper for paper in papers})
    assert len(mail.content) < 100_000
    for body in (mail.rendered.text, mail.rendered.html or ""):
        assert all(f"Tidepool {number}" in body for number in range(1, MOST_PAPERS + 1))
        assert "/feedback/" not in body

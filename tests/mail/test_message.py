"""The bytes of a mail, read back by the email package."""

import email
import email.policy
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import InvalidInput
from digest.mail.message import (
    Letter,
    ListInfo,
    Mailbox,
    compose,
    wire_address,
)
from digest.mail.quoted import quoted

ONE_OF_EACH = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version")


def a_letter(**changes: Any) -> Letter:
    values: dict[str, Any] = {
        "sender": Mailbox(name="Trending papers", address="papers@example.org"),
        "recipient": "ada@example.com",
        "subject": "3 papers for you: Learning to Wait",
        "text": "Hello Ada,\n\n.one line begins with a dot\nand another is " + "long " * 40 + "\n",
        "html": "<p>Grüße, 深い学び</p>\n",
        "message_id": "<abc123@example.org>",
        "date": datetime(2026, 3, 12, 8, 0, tzinfo=UTC),
        "mailing_list": ListInfo(
            id="digest.example.org",
            name="Trending papers",
            help="mailto:help@example.org",
            owner="mailto:owner@example.org",
            archive="https://example.org/archive",
        ),
        "unsubscribe_url": "https://example.org/unsubscribe/t.s",
        "unsubscribe_mailto": "mailto:papers@example.org?subject=unsubscribe%20t.s",
        "feedback_id": "digest:example.org",
    }
    return Letter(**values | changes)


def parsed(message: bytes) -> EmailMessage:
    found = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


def content(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def sender_name(message: bytes) -> str:
    """The name in From. By `decode_header`, because `email.policy.default` keeps the white space
    between encoded words of a phrase, which RFC 2047 §6.2 says to ignore.
    """
    raw = email.message_from_bytes(message)["From"].replace("\r\n", "").rpartition("<")[0].strip()
    bare = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw.startswith('"') else raw
    return str(make_header(decode_header(bare))) if not raw.startswith('"') else bare


def test_text_comes_first_and_both_parts_read_back() -> None:
    letter = a_letter()
    mail = parsed(compose(letter))
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert content(text) == letter.text
    assert content(html) == letter.html
    assert not text.defects
    assert not html.defects


def test_a_text_only_letter_has_one_part() -> None:
    mail = parsed(compose(a_letter(html=None)))
    assert mail.get_content_type() == "text/plain"
    assert content(mail) == a_letter().text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=300))
def test_any_text_reads_back(text: str) -> None:
    mail = parsed(compose(a_letter(text=text, html=f"<p>{text}</p>")))
    text_part, html_part = mail.iter_parts()
    assert text_part.get_payload(decode=True).decode().replace("\r\n", "\n") == text
    assert html_part.get_payload(decode=True).decode().replace("\r\n", "\n") == f"<p>{text}</p>"


def test_every_header_stands_once_and_says_what_it_should() -> None:
    mail = parsed(compose(a_letter()))
    for name in ONE_OF_EACH:
        assert len(mail.get_all(name, [])) == 1
    assert mail["From"].addresses[0].display_name == "Trending papers"
    assert mail["From"].addresses[0].addr_spec == "papers@example.org"
    assert str(mail["To"]) == "ada@example.com"
    assert mail["Date"] == "Thu, 12 Mar 2026 08:00:00 +0000"
    assert mail["Message-ID"] == "<abc123@example.org>"
    assert mail["List-Id"] == "Trending papers <digest.example.org>"
    assert mail["List-Unsubscribe"] == (
        "<https://example.org/unsubscribe/t.s>, "
        "<mailto:papers@example.org?subject=unsubscribe%20t.s>"
    )
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Help"] == "<mailto:help@example.org>"
    assert mail["List-Owner"] == "<mailto:owner@example.org>"
    assert mail["List-Archive"] == "<https://example.org/archive>"
    assert mail["List-Post"] == "NO"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Feedback-ID"] == "digest:example.org"


@pytest.mark.parametrize("url", [None, "http://localhost:8000/unsubscribe/t.s"])
def test_one_click_is_promised_only_over_https(url: str | None) -> None:
    mail = parsed(compose(a_letter(unsubscribe_url=url)))
    assert mail["List-Unsubscribe-Post"] is None
    assert "mailto:papers@example.org" in mail["List-Unsubscribe"]


class Stamp:
    """Signs with the lengths of what it was given."""

    def sign(self, head: bytes, body: bytes, at: datetime, *, even: bool = False) -> bytes:
        self.given = (head, body, at)
        return f"X-Stamp: {len(head)} {len(body)}\r\n".encode()


@pytest.mark.parametrize("html", [None, "<p>Hi</p>"])
def test_the_signer_gets_what_is_sent_and_stands_before_it(html: str | None) -> None:
    stamp, letter = Stamp(), a_letter(html=html)
    message = compose(letter, stamp)
    head, body, at = stamp.given
    assert message == f"X-Stamp: {len(head)} {len(body)}\r\n".encode() + head + b"\r\n" + body
    assert message.endswith(compose(letter))
    assert head.endswith(b"\r\n")
    assert b"\r\n\r\n" not in head
    assert at == letter.date


@pytest.mark.parametrize("text", ["", "\n", "Hi", "Hi\n", "Hi\n\n\n", "Hi \n \n", "\r\n"])
def test_a_body_ends_with_one_line_break_and_no_empty_line(text: str) -> None:
    message = compose(a_letter(text=text, html=None))
    body = message.partition(b"\r\n\r\n")[2]
    assert re.search(rb"[^\r\n]\r\n\Z", body)
    read = email.message_from_bytes(message).get_payload(decode=True)
    assert isinstance(read, bytes)
    assert read.decode().replace("\r\n", "\n") == text.replace("\r\n", "\n")


def test_parts_that_are_encoded_already_are_taken_as_they_are() -> None:
    letter = a_letter()
    encoded = a_letter(text=quoted(letter.text), html=quoted(letter.html))
    assert compose(encoded) == compose(letter)


def test_equal_instants_keep_their_own_offsets() -> None:
    tokyo = datetime(2026, 3, 12, 17, tzinfo=timezone(timedelta(hours=9)))
    assert tokyo == a_letter().date
    assert parsed(compose(a_letter()))["Date"].endswith("08:00:00 +0000")
    assert parsed(compose(a_letter(date=tokyo)))["Date"].endswith("17:00:00 +0900")


def test_a_long_address_goes_on_a_line_of_its_own() -> None:
    box = Mailbox(name="Trending papers of the week", address=f"{'a' * 60}@example.org")
    message = compose(a_letter(sender=box))
    assert b"From: Trending papers of the week\r\n <aaa" in message
    assert parsed(message)["From"].addresses[0].addr_spec == box.address


def test_a_confirmation_carries_no_list_headers() -> None:
    letter = a_letter(mailing_list=None, unsubscribe_url=None, unsubscribe_mailto=None)
    assert b"\r\nList-" not in compose(letter)


def test_the_same_letter_gives_the_same_bytes_and_another_delivery_other_ones() -> None:
    assert compose(a_letter()) == compose(a_letter())
    assert compose(a_letter()) != compose(a_letter(message_id="<abc124@example.org>"))


def test_lines_are_short_and_end_in_crlf() -> None:
    letter = a_letter(
        subject="Ünï" * 60,
        sender=Mailbox(name="Ä" * 300, address="papers@example.org"),
        text="x" * 5000 + "\n" + "word " * 500,
    )
    message = compose(letter)
    assert message.count(b"\n") == message.count(b"\r\n") == message.count(b"\r")
    assert max(map(len, message.split(b"\r\n"))) <= 78
    assert message.isascii()
    mail = parsed(message)
    assert mail["Subject"] == "Ünï" * 60
    assert sender_name(message) == "Ä" * 300


@pytest.mark.parametrize(
    "name",
    ["Ada, Countess", 'The "Lab"', "a\\b", "=?utf-8?q?x?=", "Lab <x@evil.example>", "A" * 300, ""],
)
def test_any_name_reads_back_as_one_name(name: str) -> None:
    message = compose(a_letter(sender=Mailbox(name=name, address="papers@example.org")))
    (found,) = parsed(message)["From"].addresses
    assert found.addr_spec == "papers@example.org"
    assert sender_name(message) == name


def test_control_characters_in_words_begin_no_header() -> None:
    evil = "Hi\r\nBcc: eve@example.com\x00\n\nbody\x1b[31m"
    letter = a_letter(
        subject=evil,
        sender=Mailbox(name=evil, address="papers@example.org"),
        mailing_list=ListInfo(id="digest.example.org", name=evil),
    )
    message = compose(letter)
    mail = parsed(message)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Hi Bcc: eve@example.com body [31m"
    head = message.split(b"\r\n\r\n", 1)[0]
    assert not re.search(rb"[\x00\x1b]", head)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b.example, c@d.example",
        "a@b.example\r\nBcc: x@y.example",
        "a b@example.com",
        "<a@example.com>",
        "a@example.com\x00",
        "a@b@example.com",
        "a@" + "x" * 400 + ".example",
        "test@[1.2.3.4",
    ],
)
def test_what_is_not_one_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput):
        compose(a_letter(recipient=address))
    with pytest.raises(InvalidInput):
        compose(a_letter(sender=Mailbox(address=address)))


def test_no_address_of_a_hostile_collection_becomes_two(shared: Path) -> None:
    cases = json.loads((shared / "hostile/emailvalidation/cases.json").read_text("utf-8"))
    for text in re.findall(r'"((?:[^"\\]|\\.)*@(?:[^"\\]|\\.)*)"', json.dumps(cases)):
        address = json.loads(f'"{text}"')
        try:
            message = compose(a_letter(recipient=address))
        except InvalidInput:
            continue
        head = message.split(b"\r\n\r\n", 1)[0]
        (line,) = [line for line in head.split(b"\r\n") if line.startswith(b"To: ")]
        assert line.count(b"@") == 1
        assert b"," not in line


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": "<a@b>\r\nBcc: x@y.example"},
        {"message_id": "no brackets"},
        {"unsubscribe_url": "https://example.org/\r\nX: y"},
        {"unsubscribe_url": "https://example.org/> <https://evil.example"},
        {"unsubscribe_mailto": "mailto:a@b.example?subject=a b"},
        {"feedback_id": "a\nb"},
        {"mailing_list": ListInfo(id="a>\r\nX: y")},
        {"mailing_list": ListInfo(id="a.example", archive="https://\x00")},
        {"unsubscribe_url": "https://example.org/" + "x" * 1000},
    ],
)
def test_headers_made_of_codes_are_refused_when_they_hold_more(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        compose(a_letter(**changes))


def test_international_domains_go_out_in_ascii_and_local_parts_as_they_are() -> None:
    assert wire_address("Ada@Bücher.example") == "Ada@xn--bcher-kva.example"
    assert wire_address("用户@例え.example") == "用户@xn--r8jz45g.example"
    message = compose(a_letter(recipient="用户@example.com"))
    assert "To: 用户@example.com".encode() in message


def test_a_local_date_keeps_its_offset() -> None:
    zone = timezone(timedelta(hours=9))
    mail = parsed(compose(a_letter(date=datetime(2026, 3, 12, 8, tzinfo=zone))))
    assert mail["Date"] == "Thu, 12 Mar 2026 08:00:00 +0900"

"""Signatures: they hold for what was signed, break for anything else, and cost little."""

import re
from datetime import UTC, datetime

import pytest

from digest.errors import InvalidInput
from digest.mail.dkim import Signer
from digest.mail.message import Letter, ListInfo, Mailbox, compose
from tests.mail.signatures import (
    AT,
    DOMAIN,
    a_signer,
    ed25519_signing,
    parted,
    records,
    rsa_signing,
    signed,
    verdicts,
)

LETTER = Letter(
    sender=Mailbox(address=f"digest@{DOMAIN}", name="Papers, daily"),
    recipient="ada@example.com",
    subject="3 papers for you · 12 March — “continual learning” and what else is new in it",
    text="Hello Ada\n.\n.. a line with dots\n\tand a tab \nend\n\n\n",
    html="<p>Hello Ada</p>\n" * 30,
    message_id=f"<digest.0a1b@{DOMAIN}>",
    date=AT,
    reply_to="answers@example.com",
    mailing_list=ListInfo(
        id=f"digest.{DOMAIN}",
        name="Trending papers",
        help=f"https://{DOMAIN}/preferences/t",
        owner=f"mailto:digest@{DOMAIN}",
        archive=f"https://{DOMAIN}",
    ),
    unsubscribe_url=f"https://{DOMAIN}/unsubscribe/{'t' * 90}",
    unsubscribe_mailto=f"mailto:digest@{DOMAIN}?subject=unsubscribe%20{'t' * 60}",
    feedback_id=f"digest:{DOMAIN}:trending-papers",
)
MAIL = compose(LETTER)


def _holds(mail: bytes) -> list[bool]:
    return verdicts(mail, *records(a_signer()))


def _tags(field: bytes) -> dict[str, str]:
    value = re.sub(r"\s+", "", field.decode().partition(":")[2])
    return dict(tag.split("=", 1) for tag in value.split(";"))


def _fields(signatures: bytes) -> list[bytes]:
    return [field for field in re.split(rb"\r\n(?! )", signatures) if field]


def test_signatures_of_both_kinds_hold_rsa_first() -> None:
    mail = signed(MAIL)
    assert _holds(mail) == [True, True]
    first, second = _fields(a_signer().sign(*parted(MAIL), AT))
    assert (_tags(first)["a"], _tags(second)["a"]) == ("rsa-sha256", "ed25519-sha256")
    assert (_tags(first)["s"], _tags(second)["s"]) == ("digest", "digest-ed")


def test_tags_are_those_that_bulk_senders_need() -> None:
    for field in _fields(a_signer().sign(*parted(MAIL), AT)):
        tags = _tags(field)
        assert (tags["v"], tags["c"], tags["d"]) == ("1", "relaxed/simple", DOMAIN)
        assert tags["t"] == str(int(AT.timestamp()))
        assert not {"l", "x", "i"} & tags.keys()


@pytest.mark.parametrize(
    "name",
    [
        "From", "To", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type",
        "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Help", "List-Owner",
        "List-Archive", "List-Post", "Auto-Submitted", "Feedback-ID",
    ],
)  # fmt: skip
def test_change_of_any_signed_field_breaks_both(name: str) -> None:
    mail = signed(MAIL)
    changed = re.sub(rf"(?m)^({name}: )".encode(), rb"\1x", mail, count=1)
    assert changed != mail
    assert _holds(changed) == [False, False]
    removed = re.sub(rf"(?m)^{name}:.*\r\n( .*\r\n)*".encode(), b"", mail, count=1)
    assert removed != mail
    assert _holds(removed) == [False, False]


def test_transfer_encoding_of_a_mail_without_html_is_signed() -> None:
    plain = Letter(
        sender=LETTER.sender,
        recipient=LETTER.recipient,
        subject="Confirm",
        text="Hello\n",
        html=None,
        message_id=LETTER.message_id,
        date=AT,
    )
    mail = signed(compose(plain))
    assert _holds(mail) == [True, True]
    changed = mail.replace(b"Encoding: quoted-printable", b"Encoding: base64")
    assert _holds(changed) == [False, False]


def test_change_of_any_body_byte_breaks_both() -> None:
    mail = signed(MAIL)
    start = mail.index(b"\r\n\r\n") + 4
    for place in (start, (start + len(mail)) // 2, len(mail) - 3):
        changed = mail[:place] + bytes([mail[place] ^ 1]) + mail[place + 1 :]
        assert _holds(changed) == [False, False]
    assert _holds(mail + b"more\r\n") == [False, False]


@pytest.mark.parametrize(
    "added",
    [
        b"From: eve@evil.example",
        b"To: eve@evil.example",
        b"Cc: eve@evil.example",
        b"Subject: You have won",
        b"Date: Thu, 12 Mar 2026 09:00:00 +0000",
        b"Reply-To: eve@evil.example",
        b"Content-Type: text/html",
        b"List-Unsubscribe: <https://evil.example/>",
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ],
)
def test_second_field_that_would_be_shown_or_acted_upon_breaks_both(added: bytes) -> None:
    mail = signed(MAIL)
    assert _holds(added + b"\r\n" + mail) == [False, False]


def test_reply_to_cannot_be_added_to_a_mail_that_has_none() -> None:
    bare = compose(
        Letter(
            sender=LETTER.sender,
            recipient=LETTER.recipient,
            subject="Hi",
            text="Hello\n",
            html=None,
            message_id=LETTER.message_id,
            date=AT,
        )
    )
    assert _holds(signed(bare)) == [True, True]
    assert _holds(b"Reply-To: eve@evil.example\r\n" + signed(bare)) == [False, False]


def test_what_relays_do_to_fields_leaves_the_signature_whole() -> None:
    mail = signed(MAIL)
    trace = (
        b"Received: from a by b; Thu, 12 Mar 2026 08:00:01 +0000\r\nReturn-Path: <x@y.example>\r\n"
    )
    spaced = mail.replace(b"Auto-Submitted: auto", b"auto-submitted:\r\n\t auto")
    assert spaced != mail
    assert _holds(trace + spaced) == [True, True]


def test_lines_of_the_signature_stay_within_76_columns() -> None:
    for line in a_signer().sign(*parted(MAIL), AT).split(b"\r\n"):
        assert len(line) <= 76


def test_domain_longer_than_a_line_stands_on_a_line_of_its_own() -> None:
    domain = ".".join(["a" * 50] * 3) + ".example"
    signer = Signer(domain, [rsa_signing("s" * 63), ed25519_signing()])
    mail = signed(MAIL, signer)
    assert verdicts(mail, *records(signer)) == [True, True]
    long = [line for line in signer.sign(*parted(MAIL), AT).split(b"\r\n") if len(line) > 76]
    assert long == [f" d={domain};".encode()] * 2


def test_same_mail_at_the_same_time_gives_the_same_bytes() -> None:
    head, body = parted(MAIL)
    first = a_signer().sign(head, body, AT)
    assert a_signer().sign(head, body, AT) == first
    later = a_signer().sign(head, body, datetime(2026, 3, 12, 9, tzinfo=UTC))
    assert later != first


def test_two_fields_of_one_name_are_both_covered() -> None:
    head, body = parted(MAIL)
    head = b"To: first@example.com\r\n" + head
    mail = a_signer().sign(head, body, AT) + head + b"\r\n" + body
    assert _holds(mail) == [True, True]
    swapped = mail.replace(b"first@example.com", b"other@example.com")
    assert _holds(swapped) == [False, False]


def test_address_outside_ascii_is_signed_as_utf8() -> None:
    head, body = parted(MAIL)
    head = head.replace(b"ada@example.com", "ädä@example.com".encode())
    assert _holds(a_signer().sign(head, body, AT) + head + b"\r\n" + body) == [True, True]


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\n\r\n\r\n"])
def test_any_number_of_empty_lines_at_the_end_is_one(end: bytes) -> None:
    head, _ = parted(MAIL)
    body = b"Hello" + end
    field = a_signer().sign(head, body, AT)
    assert field == a_signer().sign(head, b"Hello\r\n", AT)
    assert _holds(field + head + b"\r\n" + body) == [True, True]


def test_empty_body_can_be_signed() -> None:
    head, _ = parted(MAIL)
    assert _holds(a_signer().sign(head, b"", AT) + head + b"\r\n") == [True, True]


@pytest.mark.parametrize(
    "head",
    [
        b"Subject: no sender\r\n",
        b"From: a@b.example\r\nFrom: c@d.example\r\n",
        b"From: a@b.example\nSubject: x\r\n",
        b"From: a@b.example\r\nSubject: x\rBcc: y\r\n",
        b"From: a@b.example\r\n\r\nSubject: x\r\n",
        b"From: a@b.example\r\nno field\r\n",
        b"From: a@b.example",
        b"",
    ],
)
def test_head_that_a_relay_would_have_to_mend_is_refused(head: bytes) -> None:
    with pytest.raises(InvalidInput):
        a_signer().sign(head, b"Hello\r\n", AT)


@pytest.mark.parametrize(
    "body", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\r\n", b"\n", b"\nab", b"\r", b"a\r", b"\n\r"]
)
def test_body_with_bare_line_ends_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        a_signer().sign(parted(MAIL)[0], body, AT)


def test_body_known_to_have_even_lines_is_signed_alike() -> None:
    head, body = parted(MAIL)
    assert a_signer().sign(head, body, AT, even=True) == a_signer().sign(head, body, AT)


def test_private_key_is_in_no_representation() -> None:
    signer = a_signer()
    shown = repr(signer) + repr(signer.keys) + str(signer.keys[0])
    assert "rivate" not in shown
    assert "digest" in shown

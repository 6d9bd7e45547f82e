"""Words in header fields, read back by the email package."""

import email
import email.policy
import re
from email.header import decode_header, make_header
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from digest.mail.excerpts import plain
from digest.mail.headers import followed, phrase, unstructured

TEXTS = st.text(
    st.one_of(
        st.sampled_from('ab =?_\r\n\0\t"\\,<>@'),
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("深い学びéüß🦙"),
    ),
    max_size=300,
)
ADDRESS = "<papers@example.org>"


def parsed(name: str, value: str, policy: Any = email.policy.default) -> Any:
    return email.message_from_bytes(f"{name}: {value}\r\n\r\n".encode(), policy=policy)


def assert_folded(name: str, value: str) -> None:
    field = f"{name}: {value}"
    assert field.isascii()
    for line in field.split("\r\n"):
        assert len(line) <= 76
        assert not re.search(r"[\r\n\0]", line)
        assert line.strip(), "a line of blanks alone is not allowed (RFC 5322 §3.2.2)"
    for word in re.findall(r"=\?utf-8\?[bq]\?[^?]*\?=", value):
        ((octets, _),) = decode_header(word)
        octets.decode()  # each holds whole characters (RFC 2047 §5)


@given(TEXTS)
def test_any_subject_reads_back(text: str) -> None:
    value = unstructured(text, "Subject")
    assert_folded("Subject", value)
    assert parsed("Subject", value)["Subject"] == plain(text)
    raw = parsed("Subject", value, email.policy.compat32)["Subject"]
    assert str(make_header(decode_header(raw))) == plain(text)


@given(TEXTS)
def test_any_name_reads_back_and_brings_no_address(text: str) -> None:
    value = followed(phrase(text, "From"), ADDRESS, "From")
    assert_folded("From", value)
    mail = parsed("From", value)
    (found,) = mail["From"].addresses
    assert found.addr_spec == ADDRESS[1:-1]
    assert not mail["From"].defects
    # the parser of email keeps the blanks between encoded words, which RFC 2047 §6.2 ignores
    raw = value.replace("\r\n", "").rpartition("<")[0].strip()
    if raw.startswith('"'):
        assert re.sub(r"\\(.)", r"\1", raw[1:-1]) == plain(text)
    else:
        assert str(make_header(decode_header(raw))) == plain(text)


def test_long_text_in_ascii_is_folded_and_not_encoded() -> None:
    text = "Ten papers for you and " * 8
    value = unstructured(text, "Subject")
    assert "=?" not in value
    assert value.replace("\r\n", "") == text.strip()


def test_the_shorter_of_the_two_encodings_is_taken() -> None:
    assert unstructured("10 papers for you: Grüße from the sea", "Subject").startswith(
        "=?utf-8?q?10_"
    )
    assert unstructured("深い学び", "Subject").startswith("=?utf-8?b?")


def test_a_name_of_300_characters_leaves_no_line_too_long() -> None:
    for name in ("A" * 300, "Ä" * 300, "深" * 300, "Dr. " * 75):
        assert_folded("From", followed(phrase(name, "From"), ADDRESS, "From"))

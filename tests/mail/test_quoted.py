"""Quoted-printable: whole texts and pieces of them, read back by the standard library."""

import binascii
import quopri
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.mail.quoted import piece, quoted, unified, words

ODD = st.text(
    st.one_of(
        st.sampled_from(" .=\t\nFrom\ré\0"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=300,
)
# Lines about as long as a line may be, whose first or last characters need care.
LONG = st.builds(
    lambda begin, length, end, breaks: begin + "x" * length + end + "\n" * breaks,
    st.sampled_from(["", ".", "From ", "é", "="]),
    st.integers(60, 160),
    st.sampled_from(["", " ", "\t", ". ", " =", "é ", "."]),
    st.integers(0, 2),
)
TEXTS = ODD | LONG


def assert_sendable(encoded: bytes) -> None:
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))
        assert not {0, 10, 13} & set(line)
    assert encoded.isascii()


@given(TEXTS)
@example("x" * 74 + " \r\ny")
@example("." + "x" * 74)
def test_any_text_reads_back_from_short_lines(text: str) -> None:
    assert_sendable(quoted(text))
    assert quopri.decodestring(quoted(text)).decode() == unified(text).replace("\n", "\r\n")
    assert words(quoted(text)) == unified(text)


@given(st.lists(TEXTS, max_size=5), st.randoms())
def test_pieces_joined_in_any_order_read_as_their_texts_joined(
    texts: list[str], rng: object
) -> None:
    rng.shuffle(texts)  # type: ignore[attr-defined]
    joined = b"".join(map(piece, texts))
    assert_sendable(joined)
    assert words(joined) == "".join(map(unified, texts))


@given(st.one_of(TEXTS, st.text("ab=. é深\x1e", max_size=200)))
def test_lines_are_encoded_and_broken_as_binascii_does_it(text: str) -> None:
    """But for what that must not send: blanks measured too late, beginnings that relays change."""
    for line in unified(text).split("\n"):
        told = binascii.b2a_qp(line.encode() + b"\r\n", istext=True)[:-2]
        if re.search(rb"^(\.|From )", told, re.MULTILINE) or told.endswith((b"=20", b"=09")):
            continue
        assert quoted(line) == told


@pytest.mark.parametrize("text", [".", ".\n", "a\n.b", "a\r\n..\r\n"])
def test_no_line_begins_with_a_dot(text: str) -> None:
    assert b"\r\n." not in b"\r\n" + quoted(text)


def test_what_utf_8_cannot_say_becomes_a_question_mark() -> None:
    assert words(quoted("a\ud800b")) == "a?b"

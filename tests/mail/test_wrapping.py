"""Wrapping, beside the standard library's."""

from textwrap import fill

from hypothesis import given
from hypothesis import strategies as st

from digest.mail.wrapping import COLUMNS, wrapped

WORDS = st.lists(st.text("abcdé-", min_size=1, max_size=90), max_size=40)
INDENTS = st.integers(0, 8)


@given(WORDS, INDENTS, st.booleans())
def test_words_are_wrapped_as_textwrap_does(words: list[str], indent: int, hanging: bool) -> None:
    text = " ".join(words)
    margin = " " * indent
    filled = fill(
        text,
        COLUMNS,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    assert wrapped(text, indent, hanging=hanging) == filled[indent * hanging :]


def test_line_breaks_and_tabs_count_as_spaces_and_others_do_not() -> None:
    assert wrapped("one\ntwo\t three") == "one two three"
    assert wrapped("10\u00a0km " * 14).count("\u00a0") == 14

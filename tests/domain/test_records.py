"""Cells and lists, there and back. Whole files are tried in services/test_transfer.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.domain import records
from digest.errors import InvalidInput
from tests.builders import a_subscriber


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("", []),
        ("graphs", ["graphs"]),
        ("a;b;;c;", ["a", "b", "c"]),
        (r"a\;b;c", ["a;b", "c"]),
        (r"\method;C:\x", [r"\method", r"C:\x"]),
        (r"a\\;b", ["a\\", "b"]),
        (r"a\\\;b", [r"a\;b"]),
        ("tail\\", ["tail\\"]),
    ],
)
def test_a_list_cell_is_split_at_semicolons_that_are_not_escaped(cell, items):
    assert records.split_list(cell) == items


@given(st.lists(st.text(alphabet="a;\\ ,'\"=", min_size=1).filter(str.strip)))
def test_any_list_comes_back(items):
    assert records.split_list(records.join_list(items)) == items


@pytest.mark.parametrize(
    ("cell", "guarded"),
    (
        *(("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("\tx", "'\tx")),
        *(("'=1", "''=1"), ("plain", "plain"), ("'quoted", "'quoted"), ("", ""), ("a=b", "a=b")),
    ),
)
def test_formulas_are_guarded_and_freed_again(cell, guarded):
    assert records.guarded(cell) == guarded
    assert records.unguarded(guarded) == cell


@given(st.text(alphabet="'=+-@a\t"))
def test_any_cell_comes_back(cell):
    assert records.unguarded(records.guarded(cell)) == cell


def test_a_header_may_have_any_order_and_only_known_columns():
    assert records.checked_header([" hour ", "email"]) == ("hour", "email")
    with pytest.raises(InvalidInput, match="unknown column 'e-mail', 'shoe'"):
        records.checked_header(["e-mail", "hour", "shoe"])


def test_a_row_comes_back_as_the_subscriber_it_was_made_of():
    ada = a_subscriber("ada@example.com", "graphs^0.1", "a;b", "=sum")
    record = records.from_cells(records.COLUMNS, records.to_cells(ada))
    assert record == records.from_object(records.to_object(ada))
    assert (record.email, record.status) == (ada.email, ada.status)
    assert record.interests() == ada.interests
    assert record.preferences(ada.preferences) == ada.preferences


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("=1;=1;b", "'=1;'=1;b"),
        (r"a\;=1", r"a\;'=1"),
        ("a; -1", "a;' -1"),
        ("a;'@x", "a;''@x"),
        ("a;b'=1", "a;b'=1"),
        ("a=1;b+2", "a=1;b+2"),
    ],
)
def test_a_spreadsheet_that_splits_at_semicolons_finds_no_formula(cell: str, safe: str) -> None:
    assert records.guarded(cell) == safe
    assert records.unguarded(safe) == cell

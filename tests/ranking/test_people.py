"""Authors: full name, or surname and initial; case and diacritics do not matter."""

import pytest

from digest.ranking.people import is_same, person


def same(wanted: str, author: str) -> bool:
    one, other = person(wanted), person(author)
    return bool(one and other and is_same(one, other))


@pytest.mark.parametrize(
    ("wanted", "author"),
    [
        ("Yann LeCun", "Yann LeCun"),
        ("yann lecun", "YANN LECUN"),
        ("Y. LeCun", "Yann LeCun"),
        ("Yann LeCun", "Y. LeCun"),
        ("LeCun, Yann", "Yann LeCun"),
        ("LeCun, Y.", "Yann A. LeCun"),
        ("LeCun", "Yann LeCun"),
        ("Jurgen Schmidhuber", "Jürgen Schmidhuber"),
        ("Aäron van den Oord", "Oord, A. van den"),
        ("JP Morgan", "J. P. Morgan"),
        ("Wei-Lin Wang", "Weilin Wang"),
        ("Sara O'Neil", "Sara O’Neil"),
    ],
)
def test_spellings_of_one_person_match(wanted: str, author: str) -> None:
    assert same(wanted, author)


@pytest.mark.parametrize(
    ("wanted", "author"),
    [
        ("Yann LeCun", "Jan LeCun"),
        ("Yann LeCun", "Z. LeCun"),
        ("Yann LeCun", "Yann LeCunn"),
        ("Wei Wang", "Wei-Lin Wang"),
        ("Wei Wang", "Wang"),
        ("Ada Lovelace", "Lovelace Ada Byron"),
        ("", "Ada Lovelace"),
        ("123", "Ada Lovelace"),
    ],
)
def test_other_people_do_not_match(wanted: str, author: str) -> None:
    assert not same(wanted, author)

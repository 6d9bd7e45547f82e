"""Authors: full name, or surname and initial; case and diacritics do not matter."""

from itertools import product

import pytest

from digest.ranking.people import is_same, spellings


def same(wanted: str, author: str) -> bool:
    return any(is_same(*pair) for pair in product(spellings(wanted), spellings(author)))


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
        ("LeCun", "Yann Le Cun"),
        ("Y. Le Cun", "Yann LeCun"),
        ("Nando Defreitas", "Nando de Freitas"),
        ("M. van der Schaar", "Mihaela Vanderschaar"),
        ("K. Mueller", "Klaus Müller"),
        ("Muller", "Klaus Mu\u0308ller"),
        ("Soeren Oestergaard", "Søren Østergaard"),
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
        ("Le Cun", "Yann Cunningham"),
        ("Bauer", "Jan Baur"),
        ("", "Ada Lovelace"),
        ("123", "Ada Lovelace"),
    ],
)
def test_other_people_do_not_match(wanted: str, author: str) -> None:
    assert not same(wanted, author)

"""docs/time.md names the test behind each of its sentences: they must be there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "time.md").read_text()))
    code = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 20
    assert not named - set(re.findall(r"def (test_\w+)\(", code))


def test_every_statement_of_the_page_names_its_test() -> None:
    page = (ROOT / "docs" / "time.md").read_text()
    statements = re.findall(r"^\* (.*?)(?=\n\* |\n\n|\Z)", page, re.M | re.S)
    assert len(statements) > 15
    assert all("`test_" in one for one in statements)

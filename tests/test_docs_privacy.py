"""docs/privacy.md speaks of every table, and promises what the store does."""

import re

from digest.store.tables import metadata
from tests.docs.reference import DOCS, ROOT

PAGE = (DOCS / "privacy.md").read_text(encoding="utf-8")


def told() -> dict[str, str]:
    """The page's rows by the names of their tables."""
    part = PAGE.partition("## What is held")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in part.splitlines() if line.startswith("| `")]
    return {name: " | ".join(row[1:]) for row in rows for name in re.findall(r"`(\w+)`", row[0])}


def test_every_table_is_told_with_what_why_and_how_long() -> None:
    lacking = set(metadata.tables) - set(told())
    assert lacking == set(), "say in docs/privacy.md what they hold of a person, and for how long"
    assert set(told()) - set(metadata.tables) == set(), "these tables are gone"


def test_no_table_with_a_person_in_it_is_said_to_hold_nothing() -> None:
    personal = ("email", "address_hash", "subscriber_id")
    for name, table in metadata.tables.items():
        names_somebody = any(column.name in personal for column in table.columns)
        if names_somebody:
            assert not told()[name].startswith("nothing"), name


def test_what_belongs_to_a_subscriber_goes_with_them_or_loses_their_name() -> None:
    for name, table in metadata.tables.items():
        for key in table.foreign_keys:
            if key.column.table.name == "subscribers":
                assert key.ondelete in ("CASCADE", "SET NULL"), name


def test_what_readers_are_told_to_press_is_there() -> None:
    pages = (ROOT / "templates" / "web").rglob("*.html")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    for label in ("Download my data", "Delete everything"):
        assert f"*{label}*" in PAGE
        assert f">{label}<" in text

"""docs/operations.md names what the program really says."""

import re

from tests.docs.reference import DOCS, ROOT

PAGE = (DOCS / "operations.md").read_text(encoding="utf-8")
CODE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "digest").rglob("*.py"))


def test_every_event_of_the_log_is_written_by_the_program() -> None:
    part = PAGE.partition("## What the log says")[2].partition("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    events = [event for row in rows for event in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    assert len(events) > 15
    assert [event for event in events if f'"{event}"' not in CODE] == []


def test_every_event_of_the_daemon_is_told_there() -> None:
    logged = re.compile(r'\blog\.(?:info|warning|error)\(\s*"([^"]+)"')
    for path in (ROOT / "digest" / "daemon").rglob("*.py"):
        for event in logged.findall(path.read_text(encoding="utf-8")):
            explains_itself = len(event.split()) > 3
            told = explains_itself or f"`{event}`" in PAGE
            assert told, f"tell in docs/operations.md what {event!r} means"


def test_every_reason_to_skip_that_is_named_exists() -> None:
    named = set(re.findall(r"`skipped \((\w+)\)`", PAGE))
    assert named == set(re.findall(r'"(no_papers|no_matches|late)"  #', CODE)) != set()

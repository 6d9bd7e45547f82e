"""The page of what was tried: kept by tests in processes of their own, written by `make soak`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability import PAGE, ROOT, main, record, report


def recorded(folder: Path, calls: str) -> None:
    """What a process of its own records, in which DIGEST_RELIABILITY is set."""
    code = f"from tests.reliability import record\n{calls}"
    variables = os.environ | {"DIGEST_RELIABILITY": str(folder)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=variables)


def test_nothing_is_kept_unless_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if not os.environ.get("DIGEST_RELIABILITY"):
        record("kill sweep", "SQLite", points=1)
    assert list(tmp_path.iterdir()) == []


def test_rows_of_several_processes_are_put_together(tmp_path: Path) -> None:
    recorded(tmp_path, 'record("simulator", "a year", days=366, violations=0, worst_s=1.5)')
    recorded(
        tmp_path,
        'record("simulator", "a year", days=366, violations=0, worst_s=1.25)\n'
        'record("simulator", "Apia | 2011", days=1_000, zone="Apia")\n'
        'record("kill sweep", "SQLite", lost=0)',
    )
    page = report(tmp_path, "", "Measured.")
    assert "|  | days | violations | worst s | zone |\n|---|---|---|---|---|\n" in page
    assert "| a year | 732 | 0 | 1.50 | – |\n" in page
    assert "| Apia \\| 2011 | 1,000 | – | – | Apia |\n" in page
    assert page.index("## Simulator") < page.index("## Kill sweep")
    assert page.count("Measured.") == 2


def test_rooms_that_were_not_run_keep_their_former_rows(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    recorded(
        tmp_path / "first", 'record("HTTP faults", "bomb", tried=1)\nrecord("other", "x", n=1)'
    )
    main(tmp_path / "first", page)
    recorded(tmp_path / "second", 'record("other", "y", n=2)\nrecord("simulator", "z", n=3)')
    main(tmp_path / "second", page)
    text = page.read_text()
    assert "## HTTP faults" in text
    assert "| bomb | 1 |" in text
    assert "| x | 1 |" not in text
    assert [text.count(f"| {row} |") for row in "yz"] == [1, 1]
    assert text.index("## Simulator") < text.index("## HTTP faults") < text.index("## Other")


def test_page_holds_only_what_its_maker_writes() -> None:
    # by hand it would be changed in vain: what stands is what comes of making it from nothing new
    page = PAGE.read_text(encoding="utf-8")
    assert report(PAGE.parent / "no such folder", page, "") == page

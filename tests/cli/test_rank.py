"""`digest rank` at the command line: exit codes, one clear line on stderr, a quick --help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from digest.cli import app

PAPER = {"id": "a", "title": "Continual learning", "abstract": "of owls"}


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    papers, interests = tmp_path / "p.jsonl", tmp_path / "i.jsonl"
    papers.write_text(json.dumps(PAPER) + "\n")
    interests.write_text(json.dumps({"id": "i", "keywords": ["owls"]}) + "\n")
    return ["--papers", str(papers), "--interests", str(interests)]


def test_the_run_goes_to_stdout_and_nothing_else_does(files: list[str]) -> None:
    result = CliRunner().invoke(app, ["rank", *files])
    assert result.exit_code == 0, result.output
    interest, paper, rank, score = result.stdout.rstrip("\n").split("\t")
    assert (interest, paper, rank, result.stderr) == ("i", "a", "1", "")
    assert 0 < float(score) <= 1


def test_with_output_stdout_stays_silent(files: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run.tsv"
    result = CliRunner().invoke(app, ["rank", *files, "--output", str(run), "--explain"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert run.read_text().startswith("i\ta\t1\t")
    assert json.loads((tmp_path / "run.tsv.explain.jsonl").read_text())["abstract"] == ["owls"]


def test_a_bad_line_is_named_with_its_number_and_exit_3(files: list[str]) -> None:
    with Path(files[1]).open("a") as papers:
        papers.write("\n{broken\n")
    result = CliRunner().invoke(app, ["rank", *files])
    assert result.exit_code == 3
    assert f"{files[1]}:3: skipped: not JSON" in result.stderr.replace("\n", "")
    assert result.stdout.startswith("i\ta\t1\t")


def test_a_repeated_id_is_a_note_and_no_failure(files: list[str]) -> None:
    with Path(files[1]).open("a") as papers:
        papers.write(json.dumps(PAPER) + "\n")
    result = CliRunner().invoke(app, ["rank", *files])
    assert result.exit_code == 0
    assert "note: id 'a' again" in result.stderr.replace("\n", "")


def test_a_missing_file_is_one_line_and_exit_2(files: list[str], tmp_path: Path) -> None:
    missing = str(tmp_path / "no\x1bfile.jsonl")
    result = CliRunner().invoke(app, ["rank", "--papers", missing, *files[2:]])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1 and "cannot be read" in result.stderr
    assert "\x1b" not in result.stderr


def test_missing_options_are_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["rank"]).exit_code == 2


def test_asking_for_help_loads_no_arrays() -> None:
    code = (
        "import sys; from digest.cli import app\n"
        "try: app(['rank', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('numpy', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
    assert "--interests" in done.stdout

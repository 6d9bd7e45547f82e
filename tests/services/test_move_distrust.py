"""What is damaged, hostile or from elsewhere is refused in one line and changes nothing."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from digest.domain.interests import interest
from digest.domain.subscribers import Status
from digest.errors import InvalidInput, Refused, SchemaMismatch
from digest.services.move import archive as archives
from digest.store import outbox, schema
from digest.store.database import open_engine, transaction
from digest.store.merge import merge_batch
from digest.store.subscribers import NewSubscriber, add
from digest.store.version import NEWEST
from tests.builders import NOON, a_batch, a_listing
from tests.services.moving import exported, imported, parts_of, repacked
from tests.web.people import all_rows

Parts = dict[str, bytes]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path) -> bytes:
    """Two papers, and a subscriber to whom a mail waits."""
    path = tmp_path_factory.mktemp("archive") / "store.sqlite"
    shutil.copy(_sqlite_template, path)
    engine = open_engine(f"sqlite:///{path}")
    with transaction(engine) as session:
        listings = (a_listing("One", arxiv="2603.00001"), a_listing("Two", arxiv="2603.00002"))
        merge_batch(session, a_batch(*listings), NOON)
        new = NewSubscriber(
            email="a@lab.example", status=Status.ACTIVE, interests=(interest("graphs"),)
        )
        person = add(session, new, NOON)
        kind = outbox.MailKind.WELCOME
        outbox.enqueue_mail(session, kind, person.id, "", message_id="<1@x.example>", now=NOON)
    found = exported(engine)
    engine.dispose()
    return found


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Any:
    opened = open_engine(sqlite_url)
    yield opened
    opened.dispose()


def refusal(engine: Engine, archive: bytes) -> str:
    """The one line with which an archive is refused; the store is as empty as before."""
    with pytest.raises(InvalidInput) as caught:
        imported(engine, archive)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 250
    rows = all_rows(engine)
    assert [name for name in rows if rows[name] and name != "schema_support"] == []
    return said


def told_otherwise(archive: bytes, change: Callable[[Any], object]) -> bytes:
    """The archive with another manifest."""

    def changed(parts: Parts) -> None:
        told = json.loads(parts["manifest.json"])
        change(told)
        parts["manifest.json"] = json.dumps(told).encode()

    return repacked(archive, changed)


def with_lines(archive: bytes, table: str, lines: bytes, rows: int | None = None) -> bytes:
    """The archive with other lines in a table, and a manifest that is right about them."""

    def changed(parts: Parts) -> None:
        parts[f"{table}.jsonl"] = lines
        told = json.loads(parts["manifest.json"])
        counted = lines.count(b"\n") if rows is None else rows
        told["tables"][table] = {"rows": counted, "sha256": hashlib.sha256(lines).hexdigest()}
        parts["manifest.json"] = json.dumps(told).encode()

    return repacked(archive, changed)


def with_values(archive: bytes, table: str, **values: object) -> bytes:
    """The archive with other values in a table's last row."""
    lines = parts_of(archive)[f"{table}.jsonl"].splitlines(keepends=True)
    lines[-1] = json.dumps(json.loads(lines[-1]) | values).encode() + b"\n"
    return with_lines(archive, table, b"".join(lines))


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"email,interests\na@b.example,graphs\n", b"SQLite format 3\0" * 99],
    ids=["empty", "stub", "csv", "sqlite"],
)
def test_what_is_no_archive_is_refused(sqlite_store: Engine, content: bytes) -> None:
    assert "no archive of digest export" in refusal(sqlite_store, content)


def test_another_zip_file_is_refused(sqlite_store: Engine) -> None:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as packed:
        packed.writestr("word/document.xml", "<w/>")
    assert "no manifest.json" in refusal(sqlite_store, sink.getvalue())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_was_cut_off_is_refused(
    sqlite_store: Engine, archive: bytes, share: float
) -> None:
    assert "cut off" in refusal(sqlite_store, archive[: int(len(archive) * share)])


@pytest.mark.slow
def test_no_flipped_bit_goes_in_unnoticed(sqlite_store: Engine, archive: bytes) -> None:
    truth = parts_of(archive)
    for place in range(0, len(archive), 97):
        spoiled = bytearray(archive)
        spoiled[place] ^= 0x10
        try:
            imported(sqlite_store, bytes(spoiled), dry_run=True)
        except InvalidInput:
            continue
        assert parts_of(bytes(spoiled)) == truth  # a bit that no reader looks at, such as a date


def test_lines_that_the_manifest_does_not_know_are_refused(
    sqlite_store: Engine, archive: bytes
) -> None:
    def changed(parts: Parts) -> None:
        parts["papers.jsonl"] = parts["papers.jsonl"].replace(b"One", b"Ono")

    assert "papers.jsonl is not what" in refusal(sqlite_store, repacked(archive, changed))


def test_a_line_too_few_or_a_torn_last_line_is_refused(
    sqlite_store: Engine, archive: bytes
) -> None:
    lines = parts_of(archive)["papers.jsonl"]
    for torn, rows in ((lines, 3), (lines, 1), (lines[:-1], 2), (lines[:-1], 1)):
        said = refusal(sqlite_store, with_lines(archive, "papers", torn, rows))
        assert "papers.jsonl is not what" in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"wings": 2}, "line 2: unknown column 'wings'"),
        ({"x" * 5_000: 1}, "line 2: unknown column 'xxx"),
        ({"title": 7}, "line 2: column 'title' cannot hold a value of type int"),
        ({"id": "7"}, "line 2: column 'id' cannot hold a value of type str"),
        ({"id": 2**63}, "line 2: column 'id' cannot hold"),
        ({"id": 1.5}, "line 2: column 'id' cannot hold a value of type float"),
        ({"title": {"a": []}}, "line 2: column 'title' cannot hold a value of type dict"),
        ({"title": "\ud800"}, "papers"),
        ({"title": None}, "papers"),
        ({"title": ""}, "papers"),
        ({"id": 1}, "papers"),
        ({"first_seen_at": "soon"}, "line 2: column 'first_seen_at' cannot hold 'soon'"),
        ({"first_seen_at": "2026-03-12T12:00:00"}, "line 2: column 'first_seen_at' cannot hold"),
        ({"first_seen_at": "9999-99-99T00:00:00Z"}, "line 2: column 'first_seen_at' cannot hold"),
        ({"published_on": "2026-02-30"}, "line 2: column 'published_on' cannot hold"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_row_that_does_not_fit_is_named_by_its_line(
    engine: Engine, archive: bytes, values: dict[str, object], said: str
) -> None:
    assert said in refusal(engine, with_values(archive, "papers", **values))


@pytest.mark.parametrize(
    "line",
    [b"\n", b"[]\n", b'"x"\n', b"{\n", b"[" * 100_000 + b"\n", b'{"id":NaN}\n', b"\xff\xfe\n"],
    ids=["blank", "list", "text", "torn", "deep", "nan", "bytes"],
)
def test_a_line_that_is_no_object_is_named(
    sqlite_store: Engine, archive: bytes, line: bytes
) -> None:
    said = refusal(sqlite_store, with_lines(archive, "papers", line))
    assert said == "papers.jsonl line 1: no JSON object"


def test_a_number_of_too_many_digits_is_refused(sqlite_store: Engine, archive: bytes) -> None:
    row = parts_of(archive)["papers.jsonl"].splitlines()[0]
    huge = row.replace(b'"id":1,', b'"id":' + b"9" * 9_999 + b",") + b"\n"
    assert "line 1" in refusal(sqlite_store, with_lines(archive, "papers", huge))


def test_a_child_without_its_parent_is_refused(engine: Engine, archive: bytes) -> None:
    assert "signals" in refusal(engine, with_values(archive, "signals", paper_id=99))


@pytest.mark.postgres
def test_what_postgresql_cannot_hold_is_refused_by_it(postgres_url: str, archive: bytes) -> None:
    engine = open_engine(postgres_url)
    assert "papers" in refusal(engine, with_values(archive, "papers", title="a\0b"))
    assert "papers" in refusal(engine, with_values(archive, "papers", id=2**40))
    engine.dispose()


@pytest.mark.slow
def test_a_bomb_of_one_endless_line_is_left_after_a_few_megabytes(
    sqlite_store: Engine, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = with_lines(archive, "papers", b" " * 200_000_000, rows=1)
    assert len(bomb) < 300_000
    taken: list[int] = []
    read = zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        block = read(self, n)
        taken.append(len(block))
        return block

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    assert "papers.jsonl is not what" in refusal(sqlite_store, bomb)
    assert sum(taken) < 4 * archives.LONGEST_LINE


def test_a_bomb_of_empty_lines_is_left_when_there_are_more_than_told(
    sqlite_store: Engine, archive: bytes
) -> None:
    bomb = with_lines(archive, "papers", b"\n" * 50_000_000, rows=2)
    assert "papers.jsonl is not what" in refusal(sqlite_store, bomb)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told.update(format="cake"), "no archive of digest export"),
        (lambda told: told.update(version=99), "install the version"),
        (lambda told: told.update(schema="9999"), "install that version"),
        (lambda told: told.update(schema="../x"), "manifest.json lacks something"),
        (lambda told: told.update(schema="0000"), "manifest.json lacks something"),
        (lambda told: told.update(schema=None), "manifest.json lacks something"),
        (lambda told: told.pop("tables"), "manifest.json lacks something"),
        (lambda told: told.update(tables=[1]), "manifest.json lacks something"),
        (lambda told: told["tables"]["papers"].update(rows=-1), "lacks something"),
        (lambda told: told["tables"]["papers"].update(rows=True), "lacks something"),
        (lambda told: told["tables"]["papers"].update(sha256="x"), "lacks something"),
        (lambda told: told["tables"]["papers"].update(last_id=2**60), "lacks something"),
        (lambda told: told["tables"].pop("papers"), "unknown file 'papers.jsonl'"),
        (lambda told: told["tables"].update(cake=told["tables"]["papers"]), "'cake.jsonl' is mis"),
        (lambda told: told.update(created_at="yesterday"), "lacks something"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    sqlite_store: Engine, archive: bytes, change: Callable[[Any], object], said: str
) -> None:
    assert said in refusal(sqlite_store, told_otherwise(archive, change))


def test_an_unknown_or_a_missing_table_is_named(sqlite_store: Engine, archive: bytes) -> None:
    def more(parts: Parts) -> None:
        told = json.loads(parts["manifest.json"])
        told["tables"]["cake"] = told["tables"]["papers"]
        parts["manifest.json"] = json.dumps(told).encode()
        parts["cake.jsonl"] = parts["papers.jsonl"]

    def less(parts: Parts) -> None:
        told = json.loads(parts["manifest.json"])
        del told["tables"]["papers"], parts["papers.jsonl"]
        parts["manifest.json"] = json.dumps(told).encode()

    assert "unknown: 'cake'" in refusal(sqlite_store, repacked(archive, more))
    assert "lacks the table 'papers'" in refusal(sqlite_store, repacked(archive, less))


def test_names_and_packings_that_no_export_writes_are_refused(
    sqlite_store: Engine, archive: bytes
) -> None:
    strange = repacked(archive, lambda parts: parts.update({"../../etc/passwd\n": b"x"}))
    assert "unknown file" in refusal(sqlite_store, strange)
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_LZMA) as packed:
        for name, content in parts_of(archive).items():
            packed.writestr(name, content)
    assert "packed in an unknown way" in refusal(sqlite_store, sink.getvalue())
    sink = BytesIO(archive)
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(sink, "a") as packed,
    ):
        packed.writestr("papers.jsonl", b"")
    assert "a file twice" in refusal(sqlite_store, sink.getvalue())


def test_a_store_that_is_not_empty_takes_nothing(engine: Engine, archive: bytes) -> None:
    with transaction(engine) as session:
        merge_batch(session, a_batch(a_listing("Mine")), NOON + timedelta(days=1))
    before = all_rows(engine)
    for dry_run in (True, False):
        with pytest.raises(Refused, match=r"not empty .*store\.url.*digest db upgrade"):
            imported(engine, archive, dry_run=dry_run)
    assert all_rows(engine) == before


def test_a_dry_run_checks_all_and_keeps_nothing(engine: Engine, archive: bytes) -> None:
    before = all_rows(engine)
    done = imported(engine, archive, dry_run=True)
    assert done.parts["papers"].rows == 2
    assert all_rows(engine) == before
    imported(engine, archive)


def test_a_store_of_an_older_schema_is_not_filled(sqlite_store: Engine, archive: bytes) -> None:
    schema.downgrade(sqlite_store, "0005")
    with pytest.raises(SchemaMismatch, match=f"0005.*{NEWEST}"):
        imported(sqlite_store, archive)

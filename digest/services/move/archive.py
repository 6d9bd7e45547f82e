"""The archive of a whole store: a ZIP file with a `TABLE.jsonl` per table and `manifest.json`.

`unzip`, `jq` and `sha256sum` read it: the manifest's SHA-256 of a table is that of its part, whole.
Dates within the ZIP are fixed, so that equal stores give equal parts. What is read is distrusted:
whatever does not fit is refused with one line, and nothing is held in memory but a chunk.
"""

import hashlib
import hmac
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from typing import IO, Any, BinaryIO, Self, cast

from digest.errors import InvalidInput
from digest.services.move.values import LONGEST_LINE, Form

FORMAT = "digest-store"
VERSION = 1
MANIFEST = "manifest.json"

_BLOCK = 1024 * 1024
_MOST_ROWS = 2**53
_MANIFEST_MOST = 4 * _BLOCK
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)
_OWNER_ONLY = 0o100600 << 16
_LEVEL = 3  # twice as fast as the usual 6, and a tenth larger
# what zipfile raises of files that are none, NotImplementedError for a compression it lacks
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One table: how many rows, the SHA-256 of its lines, and the highest id that it ever gave, 0
    where that does not matter.
    """

    rows: int
    sha256: str
    last_id: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What an archive says of itself. `leased` deliveries were with senders when it was taken, and
    `begun` of them perhaps sent. `marks` tell the secrets that belong to the store (`marked`).
    """

    schema: str
    program: str
    created_at: datetime
    parts: Mapping[str, Part]
    leased: int = 0
    begun: int = 0
    marks: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(part.rows for part in self.parts.values())


def marked(secret: str) -> str:
    """By what a secret is known again, and which tells nothing of it."""
    return hmac.new(secret.encode(), FORMAT.encode(), hashlib.sha256).hexdigest()[:16]


class Tally:
    """Counts and hashes lines as they pass."""

    def __init__(self) -> None:
        self.rows = 0
        self._hash = hashlib.sha256()

    def add(self, lines: list[bytes]) -> bytes:
        """Count these lines; gives them joined."""
        joined = b"".join(lines)
        self._hash.update(joined)
        self.rows += len(lines)
        return joined

    def part(self, last_id: int = 0) -> Part:
        """What passed."""
        return Part(rows=self.rows, sha256=self._hash.hexdigest(), last_id=last_id)


class Writer:
    """Writes an archive into a stream, which need not be seekable."""

    def __init__(self, sink: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None:  # else ZipFile would try again when it is collected, and say so
            with suppress(OSError, ValueError):
                self._zip.close()

    @contextmanager
    def part(self, table: str) -> Iterator[IO[bytes]]:
        """Where the lines of a table go."""
        with self._zip.open(_entry(f"{table}.jsonl"), "w", force_zip64=True) as sink:
            yield sink

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest and the directory: without it the file is no archive."""
        told = json.dumps(_to_json(manifest), indent=1, ensure_ascii=False)
        self._zip.writestr(_entry(MANIFEST), told + "\n", zipfile.ZIP_DEFLATED, _LEVEL)
        self._zip.close()


class Reader:
    """Reads an archive from a seekable stream."""

    def __init__(self, source: BinaryIO) -> None:
        """Raises InvalidInput for what is no archive of ours."""
        try:
            self._zip = zipfile.ZipFile(source)
        except _DAMAGED as exc:
            raise InvalidInput(
                "the file is no archive of digest export, or damaged or cut off"
            ) from exc
        _check_entries(self._zip.infolist())
        self.manifest = _from_json(self._manifest())
        _check_names(set(self._zip.namelist()), self.manifest)

    def verify(self, table: str) -> None:
        """Raise InvalidInput unless a part is what the manifest says, byte for byte."""
        part = self.manifest.parts[table]
        hashed, rows, length = hashlib.sha256(), 0, 0
        with self._opened(table) as source:
            while block := source.read(_BLOCK):
                hashed.update(block)
                rows += block.count(b"\n")
                ends = block.rfind(b"\n") + 1
                length = len(block) - ends if ends else length + len(block)
                if length > LONGEST_LINE or rows > part.rows:
                    break
        if rows != part.rows or length or hashed.hexdigest() != part.sha256:
            raise InvalidInput(
                f"the archive is damaged: {table}.jsonl is not what its manifest says"
            )

    def rows(self, form: Form, chunk: int) -> Iterator[list[tuple[Any, ...]]]:
        """A table's rows in chunks. Raises InvalidInput, which names the line, for a bad one."""
        number = 0
        with self._opened(form.name) as source:
            while lines := _some_lines(source, chunk):
                found = []
                for line in lines:
                    number += 1
                    try:
                        found.append(form.row(line))
                    except InvalidInput as exc:
                        raise InvalidInput(f"{form.name}.jsonl line {number}: {exc}") from exc
                yield found

    def _manifest(self) -> object:
        try:
            with self._zip.open(MANIFEST) as source:
                told = source.read(_MANIFEST_MOST + 1)
            if len(told) > _MANIFEST_MOST:
                raise InvalidInput("the archive's manifest.json is too large")
            return json.loads(told)
        except KeyError as exc:
            raise InvalidInput("the file is no archive of digest export: no manifest.json") from exc
        except (*_DAMAGED, RecursionError) as exc:
            raise InvalidInput("the archive's manifest.json cannot be read") from exc

    @contextmanager
    def _opened(self, table: str) -> Iterator[BufferedReader]:
        """A part's bytes. Raises InvalidInput where it cannot be unpacked."""
        try:
            with self._zip.open(f"{table}.jsonl") as packed:
                yield BufferedReader(cast(Any, packed), _BLOCK)
        except InvalidInput:
            raise
        except _DAMAGED as exc:
            raise InvalidInput(f"the archive is damaged: {table}.jsonl cannot be unpacked") from exc


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIXED_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = _OWNER_ONLY
    entry.create_system = 3
    entry._compresslevel = _LEVEL  # type: ignore[attr-defined]  # ZipFile's own is not asked here
    return entry


def _some_lines(source: BufferedReader, most: int) -> list[bytes]:
    lines: list[bytes] = []
    size = 0
    while len(lines) < most and size < LONGEST_LINE and (line := source.readline(LONGEST_LINE + 1)):
        lines.append(line)
        size += len(line)
    return lines


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(names) != len(set(names)):
        raise InvalidInput("the archive holds a file twice")
    for entry in entries:
        if entry.flag_bits & 0x1 or entry.compress_type not in _PLAIN:
            raise InvalidInput(f"the archive's {entry.filename[:60]!r} is packed in an unknown way")


def _check_names(names: set[str], manifest: Manifest) -> None:
    told = {f"{table}.jsonl" for table in manifest.parts} | {MANIFEST}
    if strange := names - told:
        raise InvalidInput(f"the archive holds an unknown file {min(strange)[:60]!r}")
    if missing := told - names:
        raise InvalidInput(f"the archive is damaged: {min(missing)!r} is missing")


def _to_json(manifest: Manifest) -> dict[str, object]:
    parts = {
        table: {"rows": part.rows, "sha256": part.sha256}
        | ({"last_id": part.last_id} if part.last_id else {})
        for table, part in manifest.parts.items()
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        "schema": manifest.schema,
        "program": manifest.program,
        "created_at": manifest.created_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "secrets": list(manifest.marks),
        "in_the_air": {"leased": manifest.leased, "begun": manifest.begun},
        "tables": parts,
    }


def _from_json(told: object) -> Manifest:
    """The manifest of a JSON value; raises InvalidInput for any other shape."""
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise InvalidInput("the file is no archive of digest export")
    version = told.get("version")
    if isinstance(version, int) and version > VERSION:
        raise InvalidInput(
            f"the archive has format {version}, this program reads {VERSION}: "
            "install the version of the program that wrote it"
        )
    try:
        return Manifest(
            schema=_matching(told["schema"], r"(?!0000)[0-9]{4}"),
            program=_matching(told["program"], r"[0-9A-Za-z.+-]{1,40}"),
            created_at=datetime.fromisoformat(told["created_at"]),
            leased=_number(told["in_the_air"]["leased"]),
            begun=_number(told["in_the_air"]["begun"]),
            marks=tuple(_matching(one, r"[0-9a-f]{16}") for one in told["secrets"]),
            parts={
                _matching(table, r"[a-z0-9_]{1,60}"): Part(
                    rows=_number(part["rows"]),
                    sha256=_matching(part["sha256"], r"[0-9a-f]{64}"),
                    last_id=_number(part.get("last_id", 0)),
                )
                for table, part in told["tables"].items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise InvalidInput("the archive's manifest.json lacks something, or it is wrong") from exc


def _matching(value: str, pattern: str) -> str:
    if not re.fullmatch(pattern, value):
        raise ValueError(value)
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < _MOST_ROWS:
        raise ValueError(value)
    return value

"""Files of subscribers, CSV or JSONL: bytes → rows, with the number of each line that is bad."""

import csv
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO

from digest.domain import records
from digest.domain.records import Record
from digest.errors import InvalidInput

LONGEST_LINE = 256 * 1024
MOST_LINES_OF_A_ROW = 20

_UNCLOSED = "unexpected end of data"  # the csv module's words


class Format(StrEnum):
    """The two shapes of a file of subscribers."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(kw_only=True)
class ImportSummary:
    """What an import did, or would do; `rejected` holds (line from 1, reason) in file order."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A good row and the line where it begins."""

    line: int
    record: Record


def read_rows(
    stream: BinaryIO, file_format: Format, rejected: list[tuple[int, str]]
) -> Iterator[Row]:
    """The good rows; the bad ones are added to `rejected` with their line.

    Raises InvalidInput for a CSV file without a usable header.
    """
    lines = _lines(stream)
    parsed = _csv_records(lines) if file_format is Format.CSV else _json_records(lines)
    for line, found in parsed:
        if isinstance(found, Record):
            yield Row(line, found)
        else:
            rejected.append((line, found))


def read_cells(stream: BinaryIO) -> Iterator[tuple[int, list[str] | str]]:
    """The rows of any CSV file as their line and cells, or the reason why one cannot be read."""
    return _csv_rows(_lines(stream))


def _json_records(lines: Iterator[_Line]) -> Iterator[tuple[int, Record | str]]:
    for line in lines:
        if line.fault:
            yield line.number, line.fault
        elif line.text.strip():
            try:
                yield line.number, records.from_object(json.loads(line.text))
            except InvalidInput as exc:
                yield line.number, str(exc)
            except (ValueError, RecursionError):
                yield line.number, "the line is no JSON object"


def _csv_records(lines: Iterator[_Line]) -> Iterator[tuple[int, Record | str]]:
    columns: tuple[str, ...] = ()
    for number, cells in _csv_rows(lines):
        if not columns:
            if isinstance(cells, str):
                raise InvalidInput(f"line {number}, the header: {cells}")
            columns = records.checked_header(cells)
        elif isinstance(cells, str):
            yield number, cells
        else:
            try:
                yield number, records.from_cells(columns, cells)
            except InvalidInput as exc:
                yield number, str(exc)
    if not columns:
        raise InvalidInput("the file is empty: a header line with at least 'email' is needed")


def _csv_rows(lines: Iterator[_Line]) -> Iterator[tuple[int, list[str] | str]]:
    """The rows as cells, or the reason why one cannot be read.

    A quote that is never closed spoils its own line alone: what was read ahead to find its end is
    read again.
    """
    ahead: deque[_Line] = deque()
    while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
        if line.fault:
            yield line.number, line.fault
            continue
        if not line.text.strip():
            continue
        yield line.number, _row_from(line, ahead, lines)


def _row_from(line: _Line, ahead: deque[_Line], lines: Iterator[_Line]) -> list[str] | str:
    """The cells of the row that begins in `line`; the first reason counts where there are none."""
    taken = [line]
    reason = ""
    while isinstance(cells := _cells("\n".join(one.text for one in taken)), str):
        reason = reason or cells
        more = ahead.popleft() if ahead else next(lines, None)
        if more is not None:
            taken.append(more)
        unclosed = cells == _UNCLOSED and len(taken) <= MOST_LINES_OF_A_ROW
        if more is None or more.fault or not unclosed:
            ahead.extendleft(reversed(taken[1:]))
            return "a quote is not closed" if reason == _UNCLOSED else reason
    return cells


def _cells(text: str) -> list[str] | str:
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as exc:
        return str(exc)


def _lines(stream: BinaryIO) -> Iterator[_Line]:
    """The lines from 1, without their ends; one that is too long or not UTF-8 has a fault."""
    number = 0
    while raw := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(raw) > LONGEST_LINE:
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(LONGEST_LINE)
            yield _Line(number, "", f"longer than {LONGEST_LINE} bytes")
            continue
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            yield _Line(number, "", "not UTF-8: save the file as UTF-8")
            continue
        yield _Line(number, text, "a NUL character in the line" if "\0" in text else "")


def csv_line(cells: Sequence[str]) -> str:
    """One line of CSV (RFC 4180, but for the plain line end)."""
    return ",".join(_quoted(cell) for cell in cells) + "\n"


def _quoted(cell: str) -> str:
    if not any(char in cell for char in ',"\r\n') and cell == cell.strip():
        return cell
    return '"' + cell.replace('"', '""') + '"'

"""A table's row as a line of an archive, and back: exact, and the same on both engines.

A line is one JSON object (RFC 8259) in UTF-8 without spaces, its keys sorted. Instants are UTC in
ISO 8601 with `Z`, dates ISO 8601, bytes base64; numbers have as many digits as they need; a number
that JSON does not know (`inf`) is a string.
"""

import base64
import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Date, DateTime, Float, Integer, LargeBinary, String
from sqlalchemy import Table as SqlTable
from sqlalchemy.types import TypeDecorator, TypeEngine

from digest.errors import InvalidInput, StoreError

LONGEST_LINE = 8 * 1024 * 1024
_GREATEST = 2**63

Scalar = str | int | float | bool


class _Kind(NamedTuple):
    """How the values of one type of column are written and read.

    `wire` are the types in JSON. `write` and `read` are None where the value stays as it is.
    """

    stored: tuple[type, ...]
    wire: tuple[type, ...]
    write: Callable[[Any], Scalar] | None = None
    read: Callable[[Any], object] | None = None


def _instant(value: datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()[:-6] + "Z"


def _read_instant(value: str) -> datetime:
    found = datetime.fromisoformat(value)
    if not value.endswith("Z"):
        raise ValueError(value)
    return found


def _float(value: float) -> Scalar:
    return value if math.isfinite(value) else str(value)


def _read_float(value: float | str) -> float:
    if isinstance(value, str) and value not in ("inf", "-inf", "nan"):
        raise ValueError(value)
    return float(value)


def _read_int(value: int) -> int:
    if not -_GREATEST <= value < _GREATEST:
        raise ValueError
    return value


def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _read_bytes(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


_KINDS: tuple[tuple[type[TypeEngine[Any]], _Kind], ...] = (
    (String, _Kind((str,), (str,))),
    (Boolean, _Kind((bool,), (bool,))),
    (Integer, _Kind((int,), (int,), None, _read_int)),
    (DateTime, _Kind((datetime,), (str,), _instant, _read_instant)),
    (Date, _Kind((date,), (str,), date.isoformat, date.fromisoformat)),
    (Float, _Kind((float,), (float, int, str), _float, _read_float)),
    (LargeBinary, _Kind((bytes,), (str,), _bytes, _read_bytes)),
)

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class Form:
    """How the rows of one table stand in an archive."""

    def __init__(self, table: SqlTable) -> None:
        """Raises StoreError for a table with a column of a type that no archive knows."""
        self.name = table.name
        columns = [(column.name, _kind(column.type)) for column in table.columns]
        self._columns = columns
        self._order = sorted(range(len(columns)), key=lambda n: columns[n][0])
        self._keys = tuple(columns[n][0] for n in self._order)
        self._places = [self._order.index(n) for n in range(len(columns))]
        self._writers = _some((n, kind.write) for n, (_, kind) in enumerate(columns))
        self._readers = _some((n, kind.read) for n, (_, kind) in enumerate(columns))
        self._fitting: set[tuple[type, ...]] = set()
        self._readable: set[tuple[type, ...]] = set()

    def line(self, row: Sequence[Any]) -> bytes:
        """A row's line. Raises InvalidInput for a value that is not of its column's type."""
        if (types := tuple(map(type, row))) not in self._fitting:
            self._learn(types, self._fitting, "stored")
        values = list(row)
        for n, write in self._writers:
            if values[n] is not None:
                values[n] = write(values[n])
        ordered = dict(zip(self._keys, [values[n] for n in self._order], strict=True))
        return _dumps(ordered).encode() + b"\n"

    def row(self, line: bytes) -> tuple[Any, ...]:
        """The row of a line. Raises InvalidInput for anything but such a line."""
        found = self._object(line)
        if tuple(found) != self._keys:
            found = self._sorted(found)
        given = list(found.values())
        values = [given[n] for n in self._places]
        if (types := tuple(map(type, values))) not in self._readable:
            self._learn(types, self._readable, "wire")
        for n, read in self._readers:
            if values[n] is not None:
                values[n] = self._read(n, read, values[n])
        return tuple(values)

    def _object(self, line: bytes) -> dict[str, Any]:
        try:
            found = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as exc:
            raise InvalidInput("no JSON object") from exc
        if not isinstance(found, dict):
            raise InvalidInput("no JSON object")
        return found

    def _sorted(self, found: dict[str, Any]) -> dict[str, Any]:
        """The object in the order of the keys, where it has them all and no other."""
        if unknown := found.keys() - set(self._keys):
            raise InvalidInput(f"unknown column {min(unknown)[:60]!r}")
        if missing := set(self._keys) - found.keys():
            raise InvalidInput(f"column {min(missing)!r} is missing")
        return {key: found[key] for key in self._keys}

    def _learn(self, types: tuple[type, ...], fitting: set[tuple[type, ...]], side: str) -> None:
        """Remember a row of types that fit, so that most rows cost one look into a set."""
        for (name, kind), given in zip(self._columns, types, strict=True):
            if given is not type(None) and given not in getattr(kind, side):
                raise InvalidInput(f"column {name!r} cannot hold a value of type {given.__name__}")
        fitting.add(types)

    def _read(self, n: int, read: Callable[[Any], object], value: Any) -> object:
        try:
            return read(value)
        except (ValueError, OverflowError) as exc:
            name = self._columns[n][0]
            raise InvalidInput(f"column {name!r} cannot hold {str(value)[:60]!r}") from exc


def _kind(found: TypeEngine[Any]) -> _Kind:
    inner = found
    while isinstance(inner, TypeDecorator):
        inner = inner.impl_instance
    for known, kind in _KINDS:
        if isinstance(inner, known):
            return kind
    raise StoreError(f"no archive knows columns of type {found!r}: use the program of that schema")


def _some(pairs: Any) -> list[tuple[int, Callable[[Any], Any]]]:
    return [(n, one) for n, one in pairs if one is not None]


def _no_constant(name: str) -> object:
    raise ValueError(name)

"""All fault points that stand in the source, and those that no sweep comes to, with the reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import digest

ROOT = Path(digest.__file__).parent
# What puts points around whatever calls it, and how they end (store/database.py)
AROUND = {"transaction": ("commit", "committed"), "_bare": ("begun", "done")}

# Each step of a migration is one: tests/faults/store dies at them.
MIGRATION = "migrate."
_LIKE_RETURNED = (
    "reports by HTTP do what returned mails do, whose commit is one that a sweep dies at"
)
UNREACHED = {
    f"{place}.{step}": reason
    for place, reason in {
        "services.alerts.look": "alerts begin minutes after a start; told again at worst",
        "services.feedback.withdraw": "one row, as with a vote, whose commit is one",
        "services.reports.take": _LIKE_RETURNED,
        "services.signup.drop": "a row that nobody foresaw, and so no sweep either",
        "services.signup.prune": "nobody waits for it: the next time does it again",
    }.items()
    for step in ("commit", "committed")
}


def in_source() -> set[str]:
    """The name of every fault point."""
    return {
        name
        for path in ROOT.rglob("*.py")
        for name in _of(ast.parse(path.read_text()), _room(path))
    }


def _room(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _of(node: ast.AST, place: str) -> Iterator[str]:
    """Those below a node of the function, or room, `place`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of(child, f"{_room_of(place)}.{child.name.strip('_')}")
            continue
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name):
            yield from _named(child, child.func.id, place)
        yield from _of(child, place)


def _room_of(place: str) -> str:
    """Without the function that one within it stands in."""
    parts = place.split(".")
    for count in range(len(parts), 0, -1):
        stem = ROOT.joinpath(*parts[:count])
        if stem.with_suffix(".py").is_file() or stem.is_dir():
            return ".".join(parts[:count])
    return place


def _named(call: ast.Call, function: str, place: str) -> Iterator[str]:
    if function == "reach" and isinstance(first := call.args[0], ast.Constant):
        yield str(first.value)
    for step in AROUND.get(function, ()):
        yield f"{place}.{step}"

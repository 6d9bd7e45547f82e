"""docs/architecture.md shows the house as it stands."""

import re
import tomllib

from digest.domain.deliveries import State
from tests.docs.reference import DOCS, ROOT

PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")


def test_every_room_is_told_and_exists() -> None:
    table = PAGE.partition("| room |")[2].partition("\n\n")[0]
    told = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    rooms = {path.parent.name for path in (ROOT / "digest").glob("*/__init__.py")}
    assert told == rooms | {"app"}


def test_the_arrow_of_imports_is_that_of_the_contracts() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    order = [name for layer in layers for name in re.findall(r"digest\.(\w+)", layer)]
    shown = re.findall(r"\w+", PAGE.partition("## Rooms")[2].strip().splitlines()[0])
    assert set(shown) <= set(order)
    ranks = [next(n for n, layer in enumerate(layers) if f"digest.{w}" in layer) for w in shown]
    assert ranks == sorted(ranks)


def test_every_state_of_the_ledger_is_in_the_diagram() -> None:
    diagram = PAGE.partition("```mermaid")[2].partition("```")[0]
    drawn = {state for arrow in re.findall(r"(\w+) -->|--> (\w+)", diagram) for state in arrow}
    assert drawn - {""} == {state.value for state in State}


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"`((?:domain|services|store|mail|sources|daemon|cli)/[\w/]+\.py)`", PAGE)
    assert len(named) > 8
    assert [name for name in named if not (ROOT / "digest" / name).exists()] == []

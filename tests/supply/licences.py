"""docs/licences.md: under which licence each package is that a deployment installs."""

import importlib.metadata
import re

from packaging.utils import canonicalize_name

from tests.supply.packages import DEPLOYED, PROJECT, TARGETS, needed, pins

MOST = 60  # letters: longer is a text, not a name
# Licences that ask something of who passes the package on, or a changed one.
COPYLEFT = re.compile(r"\b(?:A|L)?GPL|\bMPL|\bEPL|\bEUPL|\bCDDL|\bOSL|-SA-")

ABOUT = (
    f"What `{PROJECT}[{','.join(DEPLOYED)}]` installs beside itself, in the versions of"
    " [constraints.txt](../constraints.txt), as each package names its own licence. What only"
    " developing needs is not here: it goes nowhere. The program itself is under the"
    " [MIT licence](../LICENSE).",
)
OURS = (
    "Using them on a server asks nothing of you. Whoever passes on an image or a copy that holds"
    " them passes on the texts of their licences, which lie in each package's `dist-info` folder,"
    " and lets others put changed versions in their place, as they can: each is installed as files"
    " of its own. LGPL and MPL reach no further than these packages.",
    "Wheels hold compiled libraries of others too, whose terms lie beside them: those of numpy and"
    " scipy have the runtime libraries of GCC, under the GPL with the exception that lets any"
    " program use them, and its libquadmath under the LGPL 2.1.",
)


def names() -> list[str]:
    """The normalised names of what is installed on any kind of host."""
    return sorted({name for target in TARGETS for name in needed(PROJECT, DEPLOYED, target)})


def licence(name: str) -> str:
    """What the package says of itself: an SPDX expression, or else what it calls its licence."""
    said = importlib.metadata.metadata(name)
    if expression := said.get("License-Expression"):
        return str(expression)
    first = str(said.get("License") or "").strip().partition("\n")[0].strip()
    if first and len(first) <= MOST and "copyright" not in first.lower():
        return first
    classes = [str(one) for one in said.get_all("Classifier") or ()]
    parts = [one.rpartition(" :: ")[2] for one in classes if one.startswith("License :: OSI")]
    return ", ".join(part for part in parts if part != "OSI Approved")


def page() -> str:
    """The page, which `make docs` writes."""
    from tests.docs.reference import MADE

    known, of = pins(), {name: licence(name) for name in names()}
    strict = {name: text for name, text in of.items() if COPYLEFT.search(text)}
    parts = [MADE, "# Licences", *ABOUT, "## With conditions", _table(strict, known), *OURS]
    rest = {name: text for name, text in of.items() if name not in strict}
    return "\n\n".join([*parts, "## Without", _table(rest, known)]) + "\n"


def _table(of: dict[str, str], known: dict[str, str]) -> str:
    rows = ["| package | version | licence |", "|---|---|---|"]
    for name, text in of.items():
        called, _, version = known[canonicalize_name(name)].partition("==")
        rows.append(f"| {called} | {version} | {text} |")
    return "\n".join(rows)

"""Which lines of a listing page are titles and which are abstracts.

Titles and abstracts alternate, but a page may lack an abstract, hold a stray line, or break an
abstract in two. So the lines are labelled as a whole: of all readings (title abstract more…)* with
rejected lines between, the one with the least cost wins; a line costs the more the less it looks
like its label.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

_SENTENCES = re.compile(r"[a-z0-9)\]]\. [A-Z]")


class Label(IntEnum):
    """What a line is."""

    TITLE = 0
    ABSTRACT = 1
    MORE = 2  # the abstract goes on
    REJECTED = 3


_FOLLOWS = {
    Label.TITLE: (Label.ABSTRACT, Label.MORE, Label.REJECTED),
    Label.ABSTRACT: (Label.TITLE,),
    Label.MORE: (Label.ABSTRACT, Label.MORE),
    Label.REJECTED: (Label.ABSTRACT, Label.MORE, Label.REJECTED),
}
_NEVER = float("inf")


@dataclass(slots=True)
class _Step:
    cost: float
    before: Label


def labelled(lines: Sequence[str]) -> list[Label]:
    """One label per line."""
    best: list[dict[Label, _Step]] = []
    for line in lines:
        costs = _costs(line)
        best.append(
            {label: _cheapest(label, cost, best[-1] if best else None) for label, cost in costs}
        )
    return _backwards(best)


def _cheapest(label: Label, cost: float, previous: dict[Label, _Step] | None) -> _Step:
    if previous is None:
        starts = label in (Label.TITLE, Label.REJECTED)
        return _Step(cost if starts else _NEVER, Label.REJECTED)
    before = min(_FOLLOWS[label], key=lambda other: previous[other].cost)
    return _Step(previous[before].cost + cost, before)


def _backwards(best: list[dict[Label, _Step]]) -> list[Label]:
    if not best:
        return []
    ends = (Label.ABSTRACT, Label.MORE, Label.REJECTED)  # a title at the end has no abstract
    label = min(ends, key=lambda end: best[-1][end].cost)
    labels = []
    for steps in reversed(best):
        labels.append(label)
        label = steps[label].before
    return labels[::-1]


def _costs(line: str) -> tuple[tuple[Label, float], ...]:
    as_title, as_abstract = _title_cost(line), _abstract_cost(line)
    return (
        (Label.TITLE, as_title),
        (Label.ABSTRACT, as_abstract),
        (Label.MORE, 1.5 + 2 * as_abstract),
        # an abstract is rather kept under a doubtful title than lost
        (Label.REJECTED, 6.0 if as_title >= 2 else 2.5),
    )


def _title_cost(line: str) -> float:
    """Titles are short; the longest of 10,000 daily papers has some 240 characters."""
    length = len(line)
    cost = 0.0 if length <= 200 else 1.0 if length <= 300 else 3.0 if length <= 450 else 6.0
    if length > 120 and line.endswith("."):
        cost += 1.5
    return cost + (min(len(_SENTENCES.findall(line)), 3) if length > 120 else 0)


def _abstract_cost(line: str) -> float:
    """Abstracts are long, or at least a sentence."""
    length = len(line)
    cost = (
        6.0 if length < 40 else 4.0 if length < 80 else 2.5 if length < 120 else float(length < 160)
    )
    is_sentence = line.rstrip(")\"'” ").endswith((".", "!", "。")) and len(line.split()) >= 3
    return max(0.0, cost - 3.5) if is_sentence else cost

"""Prune: forget what is no longer kept, by the rules of `domain.retention`, kind by kind.

Each part is a transaction of its own, so a run that is stopped has done what it has done, and the
next goes on. A kind that fails is named and stops no other.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from sqlalchemy import Engine
from sqlmodel import Session

from digest.domain.retention import Kind, Policy, papers_at_once
from digest.errors import StoreError
from digest.faultpoints import reach
from digest.store import pruning, pruning_people
from digest.store.database import free_pages, reading, scrub, transaction
from digest.store.papers import count_papers
from digest.store.pruning import Cut, Part

Stop = Callable[[], bool]
_Step = Callable[[Session, int, Cut], Part]

_STEPS: dict[Kind, _Step] = {
    Kind.DELIVERIES: pruning.deliveries,
    Kind.COMPLAINTS: pruning.complaints,
    Kind.PENDING: pruning_people.pending,
    Kind.SIGNALS: pruning.signals,
}


@dataclass(kw_only=True)
class Pruned:
    """How many rows of each kind went, or would go; `left` are papers that wait for the next day,
    `problems` the kinds that failed.
    """

    rows: dict[Kind, int] = field(default_factory=dict)
    left: int = 0
    problems: list[tuple[Kind, str]] = field(default_factory=list)
    stopped: bool = False
    seconds: float = 0.0

    @property
    def anything(self) -> bool:
        """Whether there is something to tell."""
        return any(self.rows.values()) or bool(self.problems)

    def as_fields(self) -> dict[str, object]:
        """The summary as log fields: the kinds of which something went."""
        told: dict[str, object] = {
            kind.replace(" ", "_").replace("-", "_"): rows
            for kind, rows in self.rows.items()
            if rows
        }
        if self.left:
            told["papers_left"] = self.left
        return told | {"seconds": round(self.seconds, 1)}


def prune(
    engine: Engine,
    policy: Policy,
    now: datetime,
    *,
    dry_run: bool = False,
    stop: Stop = lambda: False,
) -> Pruned:
    """Forget what the policy does not keep at `now`; `stop` is asked before each part."""
    reach("services.prune.begun")
    done, began = Pruned(), time.monotonic()
    for kind in Kind:
        before = policy.before(kind, now)
        if before is None:
            continue
        cut = Cut(before=before, now=now, dry_run=dry_run)
        try:
            for rows in _parts(engine, kind, policy, cut, done):
                done.rows[kind] = done.rows.get(kind, 0) + rows
                if stop():
                    done.stopped = True
                    break
        except StoreError as exc:
            done.problems.append((kind, str(exc)))
        if done.stopped:
            break
        reach("services.prune.kind")
    # also where there was nothing to do: an erase beside a reader left its cleaning to us
    if not dry_run and (any(done.rows.values()) or not (done.problems or done.stopped)):
        _tidy(engine, stop)
    done.seconds = time.monotonic() - began
    reach("services.prune.done")
    return done


def _parts(engine: Engine, kind: Kind, policy: Policy, cut: Cut, done: Pruned) -> Iterator[int]:
    if kind is Kind.PAPERS:
        return _papers(engine, policy, cut, done)
    return _walk(engine, _STEPS.get(kind) or partial(pruning.plain, kind), cut)


def _walk(engine: Engine, step: _Step, cut: Cut) -> Iterator[int]:
    after: int | None = 0
    while after is not None:
        with reading(engine) if cut.dry_run else transaction(engine) as session:
            part = step(session, after, cut)
        after = part.after
        yield part.rows


def _papers(engine: Engine, policy: Policy, cut: Cut, done: Pruned) -> Iterator[int]:
    """As many as one run may take; how many are left for the next is told."""
    with reading(engine) as session:
        total = count_papers(session)
        before = pruning.papers_before(session, cut.before, policy.keep.least_papers)
    if before is None:
        return
    all_of_them = partial(pruning.papers, most=pruning.AT_ONCE)
    found = sum(_walk(engine, all_of_them, replace(cut, before=before, dry_run=True)))
    room = min(found, papers_at_once(total))
    done.left = found - room
    if cut.dry_run:
        yield room
        return
    after: int | None = 0
    while after is not None and room > 0:
        with transaction(engine) as session:
            part = pruning.papers(session, after, replace(cut, before=before), most=room)
        room, after = room - part.rows, part.after
        yield part.rows


def _tidy(engine: Engine, stop: Stop) -> None:
    """Give pages back that are free now, and leave no trace of what went."""
    while not stop() and free_pages(engine):
        pass
    scrub(engine)

"""What the daemon does, and how often: the one list.

A job's steps run one after the other; a step that fails is logged and stops no other. Jobs run side
by side, each at most once at a time, and so does each step: one that another job runs at this
moment is left to it, which then runs it once more.
"""

from collections.abc import Callable
from dataclasses import dataclass

from digest.daemon import looking, seeing, steps
from digest.daemon.pruning import LOOK_S, Pruning
from digest.daemon.steps import Step
from digest.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Named steps, and the seconds from one beginning to the next under these settings; `waits` for
    the first time too, until the other jobs have caught up.
    """

    name: str
    every_s: Callable[[Settings], float]
    steps: tuple[tuple[str, Step], ...]
    waits: bool = False


def _tick(settings: Settings) -> float:
    return settings.daemon.tick_s


_DELIVER = ("deliver", steps.delivering)

JOBS = (
    Job(
        name="tick",
        every_s=_tick,
        steps=(
            ("intake", steps.intake),
            ("collect", steps.collecting),
            ("compose", steps.composing),
            _DELIVER,
        ),
    ),
    Job(name="deliver", every_s=_tick, steps=(_DELIVER,)),  # a slow source keeps no mail waiting
    Job(
        name="returns",
        every_s=lambda settings: 60 * settings.bounces.every_minutes,
        steps=(("returns", steps.returning),),
    ),
    Job(
        name="alerts",
        every_s=lambda _settings: seeing.LOOK_S,
        steps=(("alerts", seeing.alerting),),
        waits=True,
    ),
    Job(
        name="look",
        every_s=lambda _settings: looking.LOOK_S,
        steps=(("look", looking.looking),),
    ),
    Job(name="prune", every_s=lambda _settings: LOOK_S, steps=(("prune", Pruning()),)),
)

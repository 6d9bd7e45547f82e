"""Every fault point in the source is one that a sweep dies at, or has a reason not to be."""

from pathlib import Path

import pytest

from tests.faults.kills import points
from tests.faults.kills.conftest import Sweeper
from tests.faults.kills.keeping import Keeping, household
from tests.faults.kills.life import Life, quiet
from tests.faults.kills.places import stocked
from tests.faults.kills.program import Nursery
from tests.faults.kills.relay import Taker
from tests.faults.kills.ways import DIGESTS, LIMITS, LOGIN


def test_points_are_found_where_they_are_named_and_around_each_transaction() -> None:
    found = points.in_source()
    for name in (
        "mail.dialogue.dot.said",  # named in a method
        "services.recorder.written.commit",  # around a transaction in a method
        "services.alone.take.committed",  # in a function within a function
        "services.prune.walk.commit",  # where a transaction is one of two
        "store.database.scrub.begun",  # around what needs none
    ):
        assert name in found
    assert not {name for name in found if name != name.lower() or " " in name}


@pytest.mark.slow
def test_every_point_is_reached_by_a_sweep_or_has_a_reason_not_to_be(
    sqlite_sweeps: Sweeper, nursery: Nursery, tmp_path: Path
) -> None:
    reached = {
        point
        for way in (DIGESTS, LOGIN, LIMITS)
        for before in sqlite_sweeps(way).before
        for point in before.points
    }
    keeping = Keeping(stock=stocked(tmp_path / "household", "", household), program=nursery)
    keeping.trace()
    reached |= {point for step in keeping.steps for point in step.points}
    with Taker(pipelining=True) as relay:
        life = Life(stock=stocked(tmp_path / "life", "", quiet), program=nursery, relay=relay)
        life.trace()
    reached |= life.points.keys()
    unreached = points.in_source() - reached
    assert unreached == points.UNREACHED.keys(), "new, or reached by now"
    named = {point for point in reached if not point.startswith(points.MIGRATION)}
    assert named <= points.in_source(), "a name that the source does not show"

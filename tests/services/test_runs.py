"""Runs: one line a run, and figures that only grow."""

from collections import Counter

import pytest
from structlog.testing import capture_logs

from digest import observe
from digest.domain.deliveries import State
from digest.domain.digests import SkipReason
from digest.domain.papers import Outcome, Rejected
from digest.services import runs
from digest.services.collect import Collected
from digest.services.compose import Composed
from digest.services.post import Delivered


def lines(do):
    with capture_logs() as logged, runs.run("tick"):
        do()
    return [line for line in logged if line["event"] == "run"]


def test_a_run_that_did_nothing_writes_no_line():
    assert lines(lambda: runs.delivered(Delivered())) == []


def test_a_run_is_summed_up_in_one_line():
    def work():
        with runs.stage("collect"):
            runs.fetched(Collected(source="a", outcome=Outcome.PAPERS, note="", listed=9, new=5))
            runs.fetched(Collected(source="b", outcome=Outcome.FAULT, note="gone"))
        skipped = Counter({SkipReason.NO_PAPERS: 2, SkipReason.LATE: 1})
        runs.composed(Composed(due=6, composed=2, skipped=skipped, failed=[("x@y", "odd")]))
        states = Counter({State.SENT: 7, State.DEFERRED: 1, State.HELD: 1})
        runs.delivered(Delivered(states=states))

    (line,) = lines(work)
    assert line.pop("seconds") >= 0
    assert line == {
        "event": "run",
        "log_level": "info",
        "what": "tick",
        "fetched": 2,
        "new": 5,
        "sources_failed": 1,
        "composed": 2,
        "not_composed": 1,
        "skipped": 3,
        "skipped_late": 1,
        "skipped_no_papers": 2,
        "sent": 7,
        "deferred": 1,
        "failed": 0,
        "held": 1,
    }


def test_a_stage_that_fails_is_named_and_counted_and_its_last_success_stays():
    def work():
        with pytest.raises(ValueError, match="odd"), runs.stage("compose-test"):
            raise ValueError("odd")

    (line,) = lines(work)
    assert line["stages_failed"] == "compose-test"
    assert observe.STAGE_FAILURES.sample()["compose-test",] == 1
    assert ("compose-test",) not in observe.STAGE_SUCCESS.sample()
    with runs.stage("compose-test"):
        pass
    assert observe.STAGE_SUCCESS.sample()["compose-test",] > 0
    assert sum(observe.STAGE_SECONDS.sample()["compose-test",].counts) == 2


def test_what_the_stages_did_is_counted_without_a_run_too():
    def fetched():
        return observe.BATCHES.sample().get(("counted", "papers"), 0)

    before = fetched()
    rejected = (Rejected(where="entry 1", reason="no title"),)
    done = Collected(source="counted", outcome=Outcome.PAPERS, note="", new=2, rejected=rejected)
    runs.fetched(done)
    assert fetched() == before + 1
    assert observe.PAPERS.sample()["counted",] >= 2
    assert observe.REJECTED.sample()["counted",] >= 1


def test_a_figure_wants_its_labels():
    with pytest.raises(ValueError, match="source, outcome"):
        observe.BATCHES.add(1, "one")

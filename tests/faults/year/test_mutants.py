"""Planted bugs prove the simulator: each is found, by what it breaks, within few seeds."""

import os

import pytest

from tests.faults.year.mutants import MUTANTS, Mutant
from tests.faults.year.year import simulate
from tests.reliability import record

SEEDS_MOST = 20
QUICK = ("marked as sent before it was", "papers sent before not excluded")
# those that take many seeds are looked for in the soak alone
COSTLY = (
    "hours in a gap of the clock skipped",
    "status not checked again before sending",
    "refusals tried for ever",
    "leases never expire",
)
LATER = QUICK if "DIGEST_SIM_SEEDS" in os.environ else QUICK + COSTLY


def _seeds_needed(mutant: Mutant) -> int:
    """How many seeds were tried until its violation showed; 0 where none showed it."""
    with mutant.planted():
        for seed in range(1, SEEDS_MOST + 1):
            outcome = simulate(seed, mutant.days, start=mutant.start)
            if mutant.kinds & {one.kind for one in outcome.violations}:
                return seed
    return 0


def _found(mutant: Mutant) -> None:
    needed = _seeds_needed(mutant)
    assert needed, f"no seed up to {SEEDS_MOST} finds: {mutant.name}"
    record("mutants", mutant.name, found=1, seeds_needed=needed, days_each=mutant.days)


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.name in QUICK], ids=lambda m: m.name)
def test_planted_bug_is_found(mutant: Mutant) -> None:
    _found(mutant)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutant", [m for m in MUTANTS if m.name not in LATER], ids=lambda m: m.name
)
def test_every_planted_bug_is_found(mutant: Mutant) -> None:
    _found(mutant)

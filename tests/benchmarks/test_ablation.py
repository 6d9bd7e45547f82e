"""Each part of `digest rank` off in turn, on the judged sets: `make bench`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from tests.benchmarks.ablation import Values, half, measured
from tests.benchmarks.peers import cpu_seconds, load_score, rounds

SETS = ("openreview_kw", "inspec_kw", "hf_daily", "scifact", "cacm", "arxiv_daily_dev")
DAYS = 4
ALL = 10_000


@pytest.fixture(scope="session")
def score(shared: Path) -> ModuleType:
    """The shared measure; without it there is nothing to judge by."""
    module = load_score(shared)
    if module is None:
        pytest.skip("the shared tools (../shared/tools) are absent")
    return module


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _macro(sets: Mapping[str, Values], variant: str, *halves: int) -> float:
    """The mean over the sets of a variant's mean over the queries of these halves."""
    return _mean(
        _mean(value for (_, query), value in values[variant].items() if half(query) in halves)
        for values in sets.values()
    )


def _table(sets: Mapping[str, Values], variants: Iterable[str]) -> None:
    print(f"\n{'nDCG@10':28}" + "".join(f"{name[:11]:>12}" for name in sets), end="")
    print(f"{'macro':>8}{'half 0':>8}{'half 1':>8}")
    for variant in variants:
        means = [_mean(values[variant].values()) for values in sets.values()]
        macros = [_macro(sets, variant, *halves) for halves in ((0, 1), (0,), (1,))]
        print(f"{variant:28}" + "".join(f"{mean:12.3f}" for mean in means), end="")
        print("".join(f"{macro:8.3f}" for macro in macros))


@pytest.mark.bench
def test_every_part_earns_its_place(shared: Path, score: ModuleType) -> None:
    pytest.importorskip("wordllama", reason="the extra 'semantic' is not installed")
    began = cpu_seconds()
    sets = {
        name: measured(score, rounds(score, shared / "ranking" / name, days=DAYS, most=ALL))
        for name in SETS
    }
    variants = sorted(
        sets[SETS[0]], key=lambda name: (name.partition(":")[0], not name.endswith("all parts"))
    )
    _table(sets, variants)
    print(f"arxiv_daily_dev: {DAYS} days; {cpu_seconds() - began:.0f} CPU-s in all")
    for tier in ("core", "semantic"):
        whole = _macro(sets, f"{tier}: all parts", 0, 1)
        for variant in variants:
            if variant.startswith(f"{tier}: ") and variant != f"{tier}: all parts":
                # what helps on some sets, or readers that no set asks, may cost a little on others
                assert _macro(sets, variant, 0, 1) < whole + 0.005, variant
        assert whole - _macro(sets, f"{tier}: no pairs", 0, 1) > 0.01
    assert _macro(sets, "core: all parts", 1) - _macro(sets, "core: no profiles", 1) > 0.005
    assert _macro(sets, "semantic: all parts", 1) > _macro(sets, "core: all parts", 1)

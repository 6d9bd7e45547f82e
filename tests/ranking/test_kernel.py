"""The loop is compiled where that repays itself, and works where it cannot be."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from digest.ranking import kernel
from digest.ranking.select import COMPILE_FROM, _Loop
from tests.ranking.readers import Reader, Shelf, Wish, chosen


@pytest.fixture
def anew() -> Iterator[None]:
    """Forget the compiled loop, before the test and after it."""
    kernel.compiled.cache_clear()
    yield
    kernel.compiled.cache_clear()


def told(script: str) -> str:
    """What a fresh process prints."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.usefixtures("anew")
def test_without_numba_the_same_papers_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "find_spec", lambda _name: None)
    readers = [Reader(wishes=(Wish(relevance={0: 0.5, 1: 0.9}),))]
    assert kernel.compiled() is None
    assert chosen(Shelf(), readers, compiled=True)[0].papers == [1, 0]


@pytest.mark.usefixtures("anew")
def test_a_numba_that_fails_is_named_once_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(*, cached: bool) -> None:
        raise ImportError("Numba needs another numpy")

    monkeypatch.setattr(kernel, "_made", failing)
    readers = [Reader(wishes=(Wish(relevance={0: 0.5}),))]
    with pytest.warns(UserWarning, match="numba fails.*another numpy"):
        assert chosen(Shelf(), readers, compiled=True)[0].papers == [0]
    assert chosen(Shelf(), readers, compiled=True)[0].papers == [0]


@pytest.mark.slow
def test_a_few_readers_do_not_load_numba() -> None:
    script = (
        "import sys; from tests.ranking.readers import *;"
        "from digest.ranking.edition import EditionRanker;"
        "chosen(Shelf(), [Reader(wishes=(Wish(relevance={0: 0.5}),))] * 50);"
        "print('numba' in sys.modules)"
    )
    assert told(script) == "False"


@pytest.mark.slow  # it compiles
def test_it_is_compiled_when_enough_was_interpreted() -> None:
    loop = _Loop()
    assert loop.chosen(COMPILE_FROM - 1, None) is None
    assert loop.chosen(1, None) is kernel.compiled() is not None


@pytest.mark.slow  # it compiles
def test_where_no_cache_can_be_written_it_is_compiled_for_the_process() -> None:
    script = (
        "import numba.core.caching as caching; caching.CacheImpl._locator_classes = [];"
        "from digest.ranking import kernel; print(kernel.compiled() is not None)"
    )
    assert told(script) == "True"


@pytest.mark.slow  # it compiles
def test_it_is_compiled_for_one_set_of_types_alone() -> None:
    chosen(Shelf(), [Reader(wishes=(Wish(relevance={0: 0.5}),), lift={0: 1.2})], compiled=True)
    assert len(kernel.compiled().signatures) == 1  # type: ignore[union-attr]

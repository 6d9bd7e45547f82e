"""What happened, told in lines, and their hash: two runs of a seed are the same run."""

import hashlib
from collections import deque
from typing import Protocol


class _Clock(Protocol):
    steady: float


class Trace:
    """Keeps a hash of all lines and the text of the last ones."""

    def __init__(self, keep: int = 4_000) -> None:
        self._hash = hashlib.sha256()
        self.lines: deque[str] = deque(maxlen=keep)
        self.told = 0

    def tell(self, world: _Clock, *words: object) -> None:
        """One line: the second, and what happened."""
        line = f"{world.steady:.3f} {' '.join(map(str, words))}"
        self._hash.update(line.encode() + b"\n")
        self.lines.append(line)
        self.told += 1

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

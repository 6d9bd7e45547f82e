"""A broken promise: when, which, and what was seen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    steady: float
    kind: str
    text: str

    def __str__(self) -> str:
        day, second = divmod(int(self.steady), 86_400)
        clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        return f"day {day} {clock} {self.kind}: {self.text}"

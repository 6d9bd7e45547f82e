"""An edition: the pool of candidate papers as it stood at one instant."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

EditionId = NewType("EditionId", int)


@dataclass(frozen=True, kw_only=True, slots=True)
class Edition:
    """Candidates are the papers first seen by us in (`opens_at`, `cutoff_at`], UTC instants."""

    id: EditionId
    cutoff_at: datetime
    lookback_days: int

    @property
    def opens_at(self) -> datetime:
        """The instant before which a first sighting is too old."""
        return self.cutoff_at - timedelta(days=self.lookback_days)

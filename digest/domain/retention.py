"""Retention: for how long each kind of row is kept, and what of it stays whatever is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from digest.domain.feedback import HALF_LIFE

DAY = timedelta(days=1)
# local dates reach 26 hours apart, and an edition is cut off a while before its digests are written
MARGIN_DAYS = 3
CONFIRM_DAYS = 7  # for as long a confirmation's link is good
CHANGE_DAYS = 2  # and that of a change of address
VOTES_KEPT = 5 * HALF_LIFE  # a vote weighs 1/32 by then

LEAST_AT_ONCE, SHARE_AT_ONCE = 1_000, 50
_RUNS_LEFT = 3
_AGAIN_AFTER = timedelta(hours=2)


class Kind(StrEnum):
    """What is pruned, in the order in which it is: what refers before what is referred to."""

    DELIVERIES = "deliveries"
    EDITIONS = "editions"
    BOUNCES = "bounces"
    COMPLAINTS = "words of complaints"
    PENDING = "pending subscribers"
    SIGN_UPS = "sign-ups"
    INVITATIONS = "invitations"
    ADDRESS_CHANGES = "address changes"
    ASKED_MAILS = "asked mails"
    VISITS = "visits"
    SIGNALS = "signals"
    PAPERS = "papers"
    BATCHES = "batches"


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """The days for which each kind is kept, 0 for ever; papers also while they are among the
    `least_papers` seen last. `signals_days` is when they are thinned out; they go with their paper.
    """

    papers_days: int = 400
    least_papers: int = 20_000
    signals_days: int = 30
    deliveries_days: int = 90
    bounces_days: int = 400
    pending_days: int = 30
    invitations_days: int = 90
    batches_days: int = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What to keep, and what the rest of the service still needs: papers of `lookback_days` and
    what was sent of them, soft bounces of `soft_days`.
    """

    keep: Keep = field(default_factory=Keep)
    lookback_days: int = 7
    soft_days: int = 30

    def days(self, kind: Kind) -> int:
        """The days that hold for a kind, 0 for ever: those asked for, or more where the service
        needs more.
        """
        asked, least = self._wanted()[kind]
        return max(asked, least) if asked else 0

    def before(self, kind: Kind, now: datetime) -> datetime | None:
        """The instant before which rows of this kind go; None where all are kept."""
        days = self.days(kind)
        try:
            return now - days * DAY if days else None
        except OverflowError:  # so long ago that there is no date for it
            return None

    def _wanted(self) -> Mapping[Kind, tuple[int, int]]:
        keep, window = self.keep, self.lookback_days + MARGIN_DAYS
        return {
            Kind.DELIVERIES: (keep.deliveries_days, window),
            Kind.EDITIONS: (keep.deliveries_days, window),
            Kind.BOUNCES: (keep.bounces_days, self.soft_days + MARGIN_DAYS),
            Kind.COMPLAINTS: (keep.bounces_days, self.soft_days + MARGIN_DAYS),
            Kind.PENDING: (keep.pending_days, CONFIRM_DAYS + 1),
            Kind.SIGN_UPS: (keep.pending_days, CONFIRM_DAYS + 1),
            Kind.INVITATIONS: (keep.invitations_days, 1),
            Kind.ADDRESS_CHANGES: (CHANGE_DAYS, CHANGE_DAYS),
            Kind.ASKED_MAILS: (2, 2),
            Kind.VISITS: (1, 1),
            Kind.SIGNALS: (keep.signals_days, window),
            Kind.PAPERS: (keep.papers_days, window),
            Kind.BATCHES: (keep.batches_days, window),
        }


def closed_before(policy: Policy, now: datetime) -> date | None:
    """The first local date of which the ledger certainly still tells whether there was a digest:
    rows of earlier ones may be gone. None where it is kept for ever.
    """
    before = policy.before(Kind.DELIVERIES, now)
    return before.astimezone(UTC).date() if before else None


def papers_at_once(total: int) -> int:
    """How many of `total` papers one run may prune: a fiftieth, but a thousand at least.

    How common words are is counted in all papers of the store; so those figures drift, and do not
    jump when somebody shortens `papers_days`.
    """
    return max(LEAST_AT_ONCE, total // SHARE_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Run:
    """When one run of equal readings began; see `domain.papers.Signal`."""

    id: int
    read_at: datetime


def superfluous(listed_on: date, runs: Sequence[Run]) -> list[int]:
    """Those of a paper's runs at one source on one day that may go, by id; none of three or fewer.

    Three stay, for all that is asked of an old day: the first, which dates the paper; the last that
    had begun when the day ended, by which the archive orders the day; and the last of all, with
    which a later reading is compared.
    """
    if len(runs) <= _RUNS_LEFT:
        return []
    ordered = sorted(runs, key=lambda run: (run.read_at, run.id))
    ends = datetime.combine(listed_on, time.max, UTC)
    within = [run for run in ordered if run.read_at <= ends] or ordered
    kept = {ordered[0].id, within[-1].id, ordered[-1].id}
    return [run.id for run in ordered if run.id not in kept]


def is_time(now: datetime, last: datetime, hour: int) -> bool:
    """Whether to prune now, after it was last done: in that hour of the day (UTC), and after a day
    in any case, for a machine that sleeps at that hour.
    """
    since = now - last
    return since >= DAY or (now.astimezone(UTC).hour == hour and since >= _AGAIN_AFTER)

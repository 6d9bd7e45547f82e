"""Rhythms: when a source is to be asked again, so that nothing is missed, nobody asked in vain.

arXiv announces at 20:00 US Eastern from Sunday to Thursday (info.arxiv.org/help/availability), and
builds its feeds anew at midnight there (info.arxiv.org/help/rss): so they change from Monday to
Friday, and the query API once a day too. A day's list of Hugging Face fills up all day long, less
at weekends.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from digest.domain.papers import SourceKind
from digest.domain.schedule import zone

_ARXIV = (SourceKind.ARXIV_RSS, SourceKind.ARXIV_API)
_ARXIV_ZONE = "America/New_York"
SETTLING = timedelta(minutes=20)  # how long arXiv may take to build its feeds
EAGER = timedelta(hours=3)  # how long news that did not come yet are asked for often
OFTEN, SELDOM = timedelta(minutes=30), timedelta(hours=3)
LATER = timedelta(hours=6)  # once the day's news are here, for what comes late
WEEKEND = timedelta(hours=24)
HUGGINGFACE = timedelta(hours=3)
HUGGINGFACE_WEEKEND = timedelta(hours=6)
OTHERS = {
    SourceKind.BIORXIV: timedelta(hours=6),
    SourceKind.OPENREVIEW: timedelta(hours=6),
}
USUAL = timedelta(hours=3)
FAULT_RETRY, FAULT_RETRY_MOST = timedelta(minutes=15), timedelta(hours=6)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """When a source was asked last, when it last brought papers, and how often in a row it failed
    since; None for never.
    """

    at: datetime | None = None
    papers_at: datetime | None = None
    failures: int = 0


def next_ask(
    kind: SourceKind, asked: Asked, now: datetime, every: timedelta | None = None
) -> datetime:
    """The instant from which on the source is to be asked again, as things stand at `now`.

    `every` is the operator's own rhythm in place of its kind's. One that fails is asked again after
    15 minutes, then twice as long each time, up to 6 hours; never later than its rhythm.
    """
    if asked.at is None or asked.at > now:  # a clock that was ahead
        return now
    due = asked.at + every if every else _by_kind(kind, asked, asked.at, now)
    return min(due, asked.at + backoff(asked.failures)) if asked.failures else due


def backoff(failures: int) -> timedelta:
    """How long to wait after so many failures in a row, at least 1."""
    doubled: timedelta = FAULT_RETRY * 2 ** min(failures - 1, 10)
    return min(doubled, FAULT_RETRY_MOST)


def arxiv_opened(now: datetime) -> datetime:
    """When arXiv's feeds last had a new day, as far as `now` can know: 0:20 US Eastern, Monday to
    Friday.
    """
    day = now.astimezone(zone(_ARXIV_ZONE)).date()
    opened = [_opening(day - timedelta(days=back)) for back in range(5)]
    return next(at for at in opened if at is not None and at <= now)


def _opening(day: date) -> datetime | None:
    if day.weekday() > 4:
        return None
    midnight = datetime.combine(day, time(), zone(_ARXIV_ZONE))
    return midnight.astimezone(UTC) + SETTLING


def _by_kind(kind: SourceKind, asked: Asked, at: datetime, now: datetime) -> datetime:
    if kind in _ARXIV:
        return _arxiv(asked, at, now)
    if kind is SourceKind.HUGGINGFACE:
        return at + (HUGGINGFACE_WEEKEND if now.weekday() > 4 else HUGGINGFACE)
    return at + OTHERS.get(kind, USUAL)


def _arxiv(asked: Asked, at: datetime, now: datetime) -> datetime:
    opened = arxiv_opened(now)
    if at < opened:
        return opened
    if now >= opened + WEEKEND:
        return at + WEEKEND
    if asked.papers_at is None or asked.papers_at < opened:  # late, or a holiday
        return at + (OFTEN if now < opened + EAGER else SELDOM)
    return at + LATER

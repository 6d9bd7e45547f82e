"""What stands on a listing page around the papers: masthead, day, counters, footer."""

import re
from datetime import date, datetime

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY = r"(?:(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?\s+)?"
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_NUMBER = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(?P<year>\d{4}))?"
_DAYS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_WEEKDAY}{_MONTH}\s+{_NUMBER}{_YEAR}",
        rf"{_WEEKDAY}{_NUMBER}\s+{_MONTH}{_YEAR}",
    )
)
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_INVITATION = re.compile(r"get trending papers in your (?:e-?mail )?inbox\b.{0,40}", re.IGNORECASE)
_SUBSCRIBE = re.compile(r"subscribe", re.IGNORECASE)
_CURATOR = re.compile(r"by\s?\S.{0,80}\bcommunity", re.IGNORECASE)
_BYLINE = re.compile(r"by\s?\S.{0,80}")
_FURNITURE = re.compile(
    r"new|hot|trending|daily|weekly|monthly|today|yesterday|(?:daily|trending|weekly)\s+papers"
    r"|hugging face|models|datasets|spaces|posts|docs|enterprise|pricing|log ?in|sign ?up"
    r"|previous|next|company|tos|privacy|about|jobs|website|view all|load more"
    r"|subscribed|unsubscribe|papers|week \d+|submitted by\b.{0,80}"
    r"|(?:view )?arxiv(?: page)?|github|(?:view )?pdf|upvotes?|comments?"
    r"|\+?\d+ (?:authors?|comments?|upvotes?)",
    re.IGNORECASE,
)


def is_invitation(line: str) -> bool:
    """The line that invites to get the papers by mail."""
    return bool(_INVITATION.fullmatch(line))


def is_subscribe(line: str) -> bool:
    """The button under the invitation, alone on its line."""
    return bool(_SUBSCRIBE.fullmatch(line))


def is_byline(line: str) -> bool:
    """Who chose the papers, such as `byAK and the research community`; only in a masthead."""
    return bool(_BYLINE.fullmatch(line))


def is_furniture(line: str) -> bool:
    """A line that belongs to the page and to no paper, wherever it stands."""
    if is_invitation(line) or is_subscribe(line) or _CURATOR.fullmatch(line):
        return True
    return not any(c.isalpha() for c in line) or bool(_FURNITURE.fullmatch(line))


def day_in(line: str, now: datetime) -> date | None:
    """The day that the whole line names: `Mar 12`, `Thursday, 12 March 2026`, `2026-03-12`.

    Without a year it is the latest such day that is not after `now`'s.
    """
    if found := _ISO.fullmatch(line):
        return _date(int(found[1]), int(found[2]), int(found[3]))
    for pattern in _DAYS:
        if not (match := pattern.fullmatch(line)):
            continue
        month, day = 1 + _MONTHS.index(match["month"].lower()), int(match["day"])
        if match["year"]:
            return _date(int(match["year"]), month, day)
        # 29 February may lie eight years back
        years = (_date(now.year - back, month, day) for back in range(9))
        return next((found for found in years if found and found <= now.date()), None)
    return None


def names_day(line: str) -> bool:
    """Whether the line is a day, even one that cannot be, such as `Feb 30`."""
    return bool(_ISO.fullmatch(line)) or any(pattern.fullmatch(line) for pattern in _DAYS)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None

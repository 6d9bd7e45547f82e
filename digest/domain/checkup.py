"""What a check-up finds: how good or bad it is, where, and what mends it."""

import base64
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from urllib.parse import quote

TEXT_MOST = 600
SECRET_LEAST = 4
HIDDEN = "(hidden)"

# Of the authorities' certificates, the longest-lived are renewed 30 days before they end, and those
# of 90 days or less when a third is left: with two weeks left, a renewal has failed.
CERTIFICATE_LEFT = timedelta(days=14)
SKEW_NOTED = timedelta(seconds=10)
SKEW_MOST = timedelta(minutes=2)
# What is sending goes by leases of half a minute on the store's clock.
STORE_SKEW_NOTED = timedelta(seconds=2)
STORE_SKEW_MOST = timedelta(seconds=30)
SPACE_NOTED = 1_000_000_000
SPACE_LEAST = 100_000_000


class Level(StrEnum):
    """How good it is; `unknown` could not be looked at, which is no fault by itself."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Area(StrEnum):
    """What is looked at, in the order in which it is told."""

    CONFIG = "config"
    STORE = "store"
    DISK = "disk"
    CLOCK = "clock"
    ZONES = "zones"
    NETWORK = "network"
    SOURCES = "sources"
    SMTP = "smtp"
    DKIM = "dkim"
    SPF = "spf"
    DMARC = "dmarc"
    PTR = "ptr"
    MX = "mx"
    SITE = "site"
    WEB = "web"
    WEBHOOKS = "webhooks"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the check-up; `mend` says what to do, empty where nothing needs doing."""

    area: Area
    name: str
    level: Level
    text: str
    mend: str = ""


def ok(area: Area, name: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(area=area, name=name, level=Level.OK, text=text)


def warn(area: Area, name: str, text: str, mend: str) -> Finding:
    """It works, but somebody should look at it."""
    return Finding(area=area, name=name, level=Level.WARN, text=text, mend=mend)


def fail(area: Area, name: str, text: str, mend: str) -> Finding:
    """It does not work."""
    return Finding(area=area, name=name, level=Level.FAIL, text=text, mend=mend)


def unknown(area: Area, name: str, text: str, mend: str = "") -> Finding:
    """It could not be looked at."""
    return Finding(area=area, name=name, level=Level.UNKNOWN, text=text, mend=mend)


def judged(area: Area, name: str, level: Level, text: str, mend: str) -> Finding:
    """A finding of that level; what is ok needs no mend."""
    return Finding(
        area=area, name=name, level=level, text=text, mend="" if level is Level.OK else mend
    )


def any_failed(findings: Iterable[Finding]) -> bool:
    """Whether something does not work."""
    return any(one.level is Level.FAIL for one in findings)


def certificate(left: timedelta) -> Level:
    """How good a certificate is that ends in so long."""
    if left <= timedelta(0):
        return Level.FAIL
    return Level.WARN if left < CERTIFICATE_LEFT else Level.OK


def skew(ahead: timedelta, noted: timedelta = SKEW_NOTED, most: timedelta = SKEW_MOST) -> Level:
    """How good a clock is that is ahead, or behind where negative, by so much."""
    size = abs(ahead)
    return Level.FAIL if size > most else Level.WARN if size > noted else Level.OK


def space(free: int, wanted: int = 0) -> Level:
    """How good a disk is with so many bytes free, of which `wanted` are needed for a copy."""
    if free < SPACE_LEAST:
        return Level.FAIL
    return Level.WARN if free < max(SPACE_NOTED, wanted) else Level.OK


def cleaned(finding: Finding, secrets: Iterable[str]) -> Finding:
    """The finding as one may print it: a line each, and no secret in it, whoever quoted it."""
    hidden = sorted({form for one in secrets for form in _forms(one)}, key=len, reverse=True)
    name, text, mend = (
        _plain(_without(one, hidden)) for one in (finding.name, finding.text, finding.mend)
    )
    return replace(finding, name=name, text=text, mend=mend)


def _forms(secret: str) -> tuple[str, ...]:
    """A secret as it may be quoted: bare, in a URL, or as SMTP says it."""
    if len(secret) < SECRET_LEAST:
        return ()
    return secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()


def _without(text: str, hidden: Iterable[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, HIDDEN)
    return text


def _plain(text: str) -> str:
    """One line without characters that steer a terminal."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    line = " ".join(visible.split())
    return line if len(line) <= TEXT_MOST else line[: TEXT_MOST - 1] + "…"

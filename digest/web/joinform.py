"""The form of somebody who wants to join: what was typed, and what it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from digest.domain.interests import Interest, InterestError
from digest.domain.schedule import Frequency, Schedule, zone
from digest.domain.subscribers import Preferences, address, ascii_domain
from digest.errors import InvalidInput
from digest.services.signup import parse_interests
from digest.web.forms import Form

FREQUENCIES = (
    (Frequency.DAILY, "Every day"),
    (Frequency.WEEKDAYS, "Monday to Friday"),
    (Frequency.WEEKLY, "Once a week, on Monday"),
)
_SHOWN = 60
HOURS = tuple(map(str, range(24)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """The fields as they were typed, to be shown again. `chose_zone`: the zone is no guess."""

    email: str = ""
    interests: str = ""
    timezone: str = "UTC"
    hour: str = "8"
    frequency: str = Frequency.DAILY.value
    invitation: str = ""
    chose_zone: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Joiner:
    """A form without a mistake in it."""

    email: str
    interests: tuple[Interest, ...]
    preferences: Preferences


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistakes:
    """What is wrong, by the name of the field, in words for the one who typed it."""

    fields: Mapping[str, str]


def typed(form: Form, usual: Preferences) -> Typed:
    """The fields of the form, those that were not sent as is usual here."""
    schedule = usual.schedule
    return Typed(
        email=form.one("email"),
        interests=form.one("interests"),
        timezone=form.one("timezone") or schedule.timezone,
        hour=form.one("hour") or str(schedule.hour),
        frequency=form.one("frequency") or schedule.frequency.value,
        invitation=form.one("invitation"),
        chose_zone=form.has("timezone"),
    )


def read(fields: Typed, usual: Preferences, domains: Sequence[str]) -> Joiner | Mistakes:
    """What the fields mean. Where `domains` are given, an address has to be of one of them."""
    wrong: dict[str, str] = {}
    email = _email(fields.email, domains, wrong)
    interests = _interests(fields.interests, wrong)
    schedule = _schedule(fields, usual.schedule, wrong)
    if wrong:
        return Mistakes(fields=wrong)
    return Joiner(email=email, interests=interests, preferences=replace(usual, schedule=schedule))


def may_join(email: str, domains: Sequence[str]) -> bool:
    """Whether the address is of one of the domains, or none are given."""
    return not domains or ascii_domain(email.rpartition("@")[2]) in domains


def about(exc: InvalidInput) -> str:
    """What is wrong with the keywords, as a sentence: which one, and why."""
    cause = exc.__cause__
    if isinstance(cause, InterestError):
        shown = cause.text if len(cause.text) <= _SHOWN else cause.text[:_SHOWN] + "…"
        return f"“{shown}”: {cause.reason}."
    words = str(exc)
    return words[:1].upper() + words[1:] + "."


def _email(text: str, domains: Sequence[str], wrong: dict[str, str]) -> str:
    if not text:
        wrong["email"] = "Please give the address the mail should go to."
        return ""
    try:
        email = address(text)
        is_ours = may_join(email, domains)
    except InvalidInput:
        wrong["email"] = "This is not a complete mail address, such as name@example.org."
        return ""
    if not is_ours:
        wrong["email"] = f"Only addresses of these domains can join here: {', '.join(domains)}."
    return email


def _interests(text: str, wrong: dict[str, str]) -> tuple[Interest, ...]:
    try:
        return parse_interests(text)
    except InvalidInput as exc:
        wrong["interests"] = about(exc)
        return ()


def _schedule(fields: Typed, usual: Schedule, wrong: dict[str, str]) -> Schedule:
    """The schedule as wished; the weekday of a weekly mail is the one that is usual here."""
    schedule = usual
    try:
        zone(fields.timezone)
        schedule = replace(schedule, timezone=fields.timezone, unknown="")
    except InvalidInput:
        wrong["timezone"] = "This time zone is unknown: please choose one from the list."
    hour = int(fields.hour) if fields.hour in HOURS else None
    if hour is None:
        wrong["hour"] = "Please choose an hour from the list."
    else:
        schedule = replace(schedule, hour=hour)
    if fields.frequency in tuple(Frequency):
        schedule = replace(schedule, frequency=Frequency(fields.frequency))
    else:
        wrong["frequency"] = "Please choose how often the mail should come."
    return schedule

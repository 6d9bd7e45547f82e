"""Alerts: what is worth a mail, what of it is news, and what is over."""

from datetime import timedelta

import pytest

from digest.domain.alerts import (
    Alarm,
    DiskFact,
    Facts,
    Late,
    Policy,
    RelayFact,
    SourceFact,
    Standing,
    Tally,
    alarms,
    news,
)
from tests.builders import NOON

HOUR = timedelta(hours=1)


def keys(**facts):
    return [one.key for one in alarms(Facts(**facts), Policy(), NOON)]


def a_source(days, **changes):
    return SourceFact(name="arxiv", good_at=NOON - timedelta(days=days), **changes)


def test_nothing_is_wrong_where_nothing_is_known():
    assert keys() == []


@pytest.mark.parametrize(("days", "raised"), [(2.99, []), (3, ["source:arxiv"])])
def test_a_source_is_dead_after_the_days_of_the_policy(days, raised):
    assert keys(sources=[a_source(days)]) == raised


def test_a_dead_source_is_told_with_its_last_words_and_what_to_do():
    (alarm,) = alarms(
        Facts(sources=[a_source(4, outcome="fault", note="HTTP 503")]), Policy(), NOON
    )
    assert "arxiv has brought nothing for 4 days" in alarm.text
    assert "fault (HTTP 503)" in alarm.text
    assert "digest sources check" in alarm.mend
    assert alarm.topic == "source"


@pytest.mark.parametrize("what", ["digests", "mails"])
def test_what_is_overdue_for_longer_than_the_policy_says_is_late(what):
    def late(hours):
        return {what: Late(count=7, oldest_at=NOON - hours * HOUR)}

    assert keys(**late(1.9)) == []
    assert keys(**late(2)) == [{"digests": "late:digests", "mails": "late:deliveries"}[what]]


@pytest.mark.parametrize(
    ("tally", "raised"),
    [
        (Tally(sent=80, failed=10, stuck=9), False),
        (Tally(sent=80, failed=10, stuck=10), True),
        (Tally(sent=0, failed=9), False),  # nine mails are no rate
        (Tally(sent=0, failed=10), True),
        (Tally(), False),
    ],
)
def test_the_failure_rate_is_a_matter_from_ten_failures_on(tally, raised):
    assert keys(tally=tally) == (["failures"] if raised else [])


def test_held_mails_a_resting_relay_and_a_full_disk_are_told():
    disk = DiskFact(host="mail1", folder="/var/lib/digest", free=50_000_000)
    raised = keys(held=2, relay=RelayFact(pauses=4, taken_at=NOON - HOUR), disk=disk)
    assert raised == ["relay", "held", "disk@mail1"]
    assert keys(relay=RelayFact(pauses=3)) == []
    assert keys(disk=DiskFact(host="h", folder="/", free=5_000_000_000)) == []


def test_a_disk_without_room_for_a_copy_of_the_store_is_nearly_full():
    roomy = DiskFact(host="h", folder="/", free=5_000_000_000, wanted=6_000_000_000)
    assert keys(disk=roomy) == ["disk@h"]


def standing(key="relay", *, seen=timedelta(0), told=None):
    return Standing(
        key=key,
        text="the relay takes no mail",
        began_at=NOON - 3 * HOUR,
        seen_at=NOON - seen,
        told_at=None if told is None else NOON - told,
    )


RELAY = Alarm(key="relay", text="the relay takes no mail")


def test_an_alarm_is_told_when_it_is_new_and_once_a_day_while_it_lasts():
    assert news([RELAY], [], NOON, host="h").begun == (RELAY,)
    assert news([RELAY], [standing()], NOON, host="h").begun == (RELAY,)  # seen, not told yet
    assert not news([RELAY], [standing(told=23 * HOUR)], NOON, host="h")
    assert news([RELAY], [standing(told=24 * HOUR)], NOON, host="h").again == (RELAY,)


def test_an_alarm_is_over_when_it_was_not_raised_for_half_an_hour():
    just_now = standing(seen=timedelta(minutes=29), told=HOUR)
    assert not news([], [just_now], NOON, host="h")
    calm = standing(seen=timedelta(minutes=30), told=HOUR)
    assert news([], [calm], NOON, host="h").over == (calm,)


def test_what_nobody_was_told_of_ends_without_a_word():
    calm = standing(seen=HOUR)
    found = news([], [calm], NOON, host="h")
    assert (found.over, found.dropped) == ((), ("relay",))


def test_a_host_says_nothing_of_another_hosts_disk_until_that_one_is_long_gone():
    other = standing("disk@elsewhere", seen=HOUR, told=2 * HOUR)
    assert news([], [other], NOON, host="here") == news([], [], NOON, host="here")
    assert news([], [other], NOON, host="elsewhere").over == (other,)
    gone = standing("disk@elsewhere", seen=timedelta(days=2), told=timedelta(days=3))
    assert news([], [gone], NOON, host="here").dropped == ("disk@elsewhere",)

"""What follows from what came back, as a rule without a store."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest

from digest.domain.bounces import BounceKind
from digest.domain.returns_policy import Action, EventKind, Policy, decide, together
from digest.domain.subscribers import SuppressionReason
from tests.builders import NOON

HARD, SOFT, ABOUT_US = BounceKind.HARD, BounceKind.SOFT, BounceKind.POLICY
DAY = timedelta(days=1)
POLICY = Policy(soft_limit=3, soft_days=10)
TODAY = NOON.date()


def decided(kind, earlier=(), policy=POLICY, **changes):
    values = {"happened_at": NOON, "mailed_at": NOON, "fresh_since": None, "soft_days": earlier}
    return decide(kind, **values | changes, policy=policy)


@pytest.mark.parametrize(
    ("kind", "action", "reason"),
    [
        (EventKind.HARD, Action.SUPPRESS, SuppressionReason.BOUNCE),
        (EventKind.COMPLAINT, Action.SUPPRESS, SuppressionReason.COMPLAINT),
        (EventKind.SOFT, Action.NOTE, None),
        (EventKind.POLICY, Action.NOTE, None),
        (EventKind.UNSUBSCRIBE, Action.UNSUBSCRIBE, None),
    ],
)
def test_each_kind_has_its_consequence(kind, action, reason):
    found = decided(kind)
    assert (found.action, found.reason) == (action, reason)


@pytest.mark.parametrize(
    ("days_ago", "action"),
    [
        ((1, 2), Action.SUPPRESS),
        ((1,), Action.NOTE),
        ((0, 0, 1), Action.NOTE),
        ((1, 9), Action.SUPPRESS),
        ((1, 10), Action.NOTE),
        ((20, 21, 22), Action.NOTE),
        ((-1, -2), Action.SUPPRESS),
        ((5, -5), Action.NOTE),
        ((4, -5), Action.SUPPRESS),
    ],
)
def test_soft_bounces_on_enough_days_within_the_span_suppress(days_ago, action):
    assert decided(EventKind.SOFT, [TODAY - n * DAY for n in days_ago]).action is action


@pytest.mark.parametrize("order", list(permutations((0, 3, 7))))
def test_the_order_of_reading_does_not_matter(order):
    days = [TODAY + n * DAY for n in order]
    actions = [
        decided(EventKind.SOFT, days[:n], happened_at=NOON + order[n] * DAY).action
        for n in range(3)
    ]
    assert actions == [Action.NOTE, Action.NOTE, Action.SUPPRESS]


def test_a_limit_of_one_treats_soft_as_hard():
    assert decided(EventKind.SOFT, policy=Policy(soft_limit=1)).action is Action.SUPPRESS


def test_days_are_those_of_utc():
    just_before_midnight = datetime.fromisoformat("2026-03-12T22:30:00-02:00")
    found = decided(EventKind.SOFT, [date(2026, 3, 13)], happened_at=just_before_midnight)
    assert found.why == "day 1 of 3"
    assert just_before_midnight.astimezone(UTC).day == 13


@pytest.mark.parametrize("kind", [EventKind.HARD, EventKind.SOFT])
def test_what_was_mailed_before_a_new_sign_up_is_ignored(kind):
    later = NOON + DAY
    assert decided(kind, fresh_since=later).action is Action.IGNORE
    assert decided(kind, fresh_since=later, happened_at=later + DAY).action is Action.IGNORE
    assert decided(kind, fresh_since=NOON).action is not Action.IGNORE
    without = {"mailed_at": None, "fresh_since": NOON}
    assert decided(kind, **without, happened_at=NOON - DAY).action is Action.IGNORE
    assert decided(kind, **without).action is not Action.IGNORE


def test_a_complaint_and_an_opt_out_never_grow_too_old():
    later = NOON + 900 * DAY
    assert decided(EventKind.COMPLAINT, fresh_since=later).action is Action.SUPPRESS
    assert decided(EventKind.UNSUBSCRIBE, fresh_since=later).action is Action.UNSUBSCRIBE


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), EventKind.SOFT),
        ((HARD,), EventKind.HARD),
        ((HARD, HARD), EventKind.HARD),
        ((HARD, SOFT), EventKind.SOFT),
        ((HARD, ABOUT_US), EventKind.POLICY),
        ((ABOUT_US, SOFT), EventKind.SOFT),
    ],
)
def test_several_failures_are_hard_only_together(kinds, expected):
    assert together(kinds) is expected

"""Who may join and come back: the whole table, and where an address stands."""

from datetime import timedelta

import pytest

from digest.domain.joining import BOUNCE_HOLDS, Answer, Standing, answer, answer_to_access, standing
from digest.domain.subscribers import Channel, Status, SuppressionReason
from tests.builders import NOON

CONFIRM, REMIND, NOTHING = Answer.CONFIRM, Answer.REMIND, Answer.NOTHING
COMES_BACK = {
    Standing.NEW,
    Standing.PENDING,
    Standing.UNSUBSCRIBED,
    Standing.BOUNCED_LONG_AGO,
    Standing.ERASED,
}
READS = {Standing.ACTIVE, Standing.PAUSED}
NEVER = {Standing.BOUNCED, Standing.COMPLAINED, Standing.REQUESTED}


def test_every_standing_has_its_rule():
    assert set(Standing) == COMES_BACK | READS | NEVER
    for one in Standing:
        expected = CONFIRM if one in COMES_BACK else REMIND if one in READS else NOTHING
        assert answer(one, Channel.FORM) is expected


@pytest.mark.parametrize("channel", [Channel.CLI, Channel.IMPORT])
def test_an_operator_brings_in_new_people_and_nobody_back(channel):
    assert [one for one in Standing if answer(one, channel) is not NOTHING] == [Standing.NEW]


@pytest.mark.parametrize("channel", [Channel.LINK, Channel.MAIL])
def test_nobody_signs_up_by_a_link_or_a_mail(channel):
    assert {answer(one, channel) for one in Standing} == {NOTHING}


def test_the_link_to_the_settings_goes_to_readers_alone():
    found = {one: answer_to_access(one) for one in Standing}
    assert {one for one, what in found.items() if what is REMIND} == READS
    assert {one for one, what in found.items() if what is CONFIRM} == {Standing.PENDING}


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (None, None, Standing.NEW),
        (Status.PENDING, None, Standing.PENDING),
        (Status.ACTIVE, None, Standing.ACTIVE),
        (Status.PAUSED, None, Standing.PAUSED),
        (Status.UNSUBSCRIBED, None, Standing.UNSUBSCRIBED),
        (Status.SUPPRESSED, None, Standing.REQUESTED),
        (None, SuppressionReason.ERASED, Standing.ERASED),
        (None, SuppressionReason.COMPLAINT, Standing.COMPLAINED),
        (Status.SUPPRESSED, SuppressionReason.COMPLAINT, Standing.COMPLAINED),
        (Status.UNSUBSCRIBED, SuppressionReason.REQUEST, Standing.REQUESTED),
        (Status.SUPPRESSED, SuppressionReason.BOUNCE, Standing.BOUNCED),
    ],
)
def test_a_suppression_says_more_than_a_status(status, reason, expected):
    assert standing(status, reason, NOON if reason else None, NOON) is expected


def test_a_bounce_holds_for_thirty_days_to_the_second():
    def stands(after):
        return standing(Status.SUPPRESSED, SuppressionReason.BOUNCE, NOON, NOON + after)

    assert timedelta(days=30) == BOUNCE_HOLDS
    assert stands(BOUNCE_HOLDS - timedelta(seconds=1)) is Standing.BOUNCED
    assert stands(BOUNCE_HOLDS) is Standing.BOUNCED_LONG_AGO

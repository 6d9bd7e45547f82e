"""Invitations: good so many times, until an instant, and unless they were revoked."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from digest.errors import BadToken, InvalidInput, NotFound
from digest.mail.tokens import Purpose, Tokens
from digest.services import invite
from digest.store import invitations
from digest.store.database import transaction
from tests.builders import NOON

DAY = timedelta(days=1)
TOKENS = Tokens(["k" * 32])


def invited(session, uses=1, days=14, note=""):
    return invite.invite(session, note=note, uses=uses, days=days, now=NOON)


def test_an_invitation_is_good_as_often_as_it_says(session):
    made = invited(session, uses=2)
    assert [invite.use(session, made.id, NOON) for _ in range(3)] == [True, True, False]
    assert not invite.usable(session, made.id, NOON)
    assert invitations.find(session, made.id).used == 2


def test_an_invitation_ends_at_its_instant(session):
    made = invited(session, days=3)
    before, at = NOON + 3 * DAY - timedelta(seconds=1), NOON + 3 * DAY
    assert invite.usable(session, made.id, before)
    assert not invite.usable(session, made.id, at)
    assert not invite.use(session, made.id, at)
    assert invite.use(session, made.id, before)


def test_a_revoked_invitation_is_good_for_nobody_and_keeps_its_date(session):
    made = invited(session)
    assert invite.revoke(session, made.id, NOON + DAY).revoked_at == NOON + DAY
    assert invite.revoke(session, made.id, NOON + 2 * DAY).revoked_at == NOON + DAY
    assert not invite.usable(session, made.id, NOON)
    assert not invite.use(session, made.id, NOON)


@pytest.mark.parametrize("number", [0, -1, 10**30])
def test_an_invitation_that_is_not_there_lets_nobody_in(session, number):
    assert not invite.usable(session, number, NOON)
    assert not invite.use(session, number, NOON)
    with pytest.raises(NotFound):
        invite.revoke(session, number, NOON)


def test_of_many_who_use_it_at_once_no_more_get_in_than_it_says(engine):
    with transaction(engine) as session:
        made = invited(session, uses=3)

    def once(_number):
        with transaction(engine) as session:
            return invite.use(session, made.id, NOON)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(once, range(8))) == 3


def test_the_token_names_its_invitation_and_is_good_for_nothing_else(session):
    made = invited(session)
    token = invite.token_of(made, TOKENS)
    assert token == invite.token_of(invitations.find(session, made.id), TOKENS)
    assert invite.invitation_of(token, TOKENS, NOON + 400 * DAY) == made.id
    with pytest.raises(BadToken):
        TOKENS.read(Purpose.CONFIRM, token, NOON)
    with pytest.raises(BadToken):
        invite.invitation_of(TOKENS.sign(Purpose.FEED, "1", NOON), TOKENS, NOON)


@pytest.mark.parametrize(
    "wrong",
    [{"uses": 0}, {"uses": 1_000_001}, {"days": 0}, {"days": 3_651}, {"note": "n" * 201}],
)
def test_what_is_out_of_range_is_refused(session, wrong):
    with pytest.raises(InvalidInput):
        invited(session, **wrong)
    assert invitations.listed(session) == []


def test_the_latest_come_first(session):
    ids = [invited(session).id for _ in range(3)]
    assert [one.id for one in invitations.listed(session, limit=2)] == ids[:0:-1]
    assert len(invitations.listed(session, limit=0)) == 3

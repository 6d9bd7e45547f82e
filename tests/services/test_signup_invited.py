"""Sign-ups by the web: invitations, and what is forgotten or told."""

from sqlalchemy import select

from digest.domain.subscribers import ConsentEvent
from digest.services import invite, signup
from digest.services.signup import Taken, VisitLimits
from digest.store.database import reading, transaction
from digest.store.tables import AskedMailRow, InvitationRow, VisitRow, table
from tests.builders import NOON
from tests.services.comers import (
    ADA,
    DAY,
    HOUR,
    come,
    confirm,
    count,
    evidence,
    person,
    post,
    sign_up,
    step,
    take_in,
)


def an_invitation(engine, **changes):
    values = {"note": "", "uses": 1, "days": 9, "now": NOON}
    return step(engine, invite.invite, **values | changes)


def uses(engine):
    with reading(engine) as session:
        return [row.used for row in session.execute(select(table(InvitationRow)))]


def test_an_invitation_lets_as_many_in_as_it_says(engine):
    card = an_invitation(engine)
    assert come(engine, ADA, invitation_id=card.id) == {Taken.CONFIRM: 1}
    assert come(engine, ADA, "rl", invitation_id=card.id) == {Taken.NOTHING: 1}
    assert come(engine, "bob@example.com", invitation_id=card.id) == {Taken.NOTHING: 1}
    assert (person(engine, "bob@example.com"), uses(engine)) == (None, [1])


def test_of_two_who_bring_the_last_use_one_comes_in(engine):
    card = an_invitation(engine)
    post(engine, ADA, invitation_id=card.id)
    post(engine, "bob@example.com", invitation_id=card.id)
    assert take_in(engine) == {Taken.CONFIRM: 1, Taken.NOTHING: 1}
    assert uses(engine) == [1]


def test_who_is_known_needs_no_invitation(quick):
    card = an_invitation(quick)
    come(quick)
    confirm(quick)
    assert come(quick, now=NOON + DAY, invitation_id=card.id) == {Taken.REMIND: 1}
    assert uses(quick) == [0]


def test_an_invitation_that_is_over_or_gone_lets_nobody_in(quick):
    over, gone = an_invitation(quick, days=1), an_invitation(quick)
    post(quick, ADA, invitation_id=over.id)
    post(quick, "bob@example.com", invitation_id=gone.id)
    with transaction(quick) as session:
        rows = table(InvitationRow)
        session.execute(rows.delete().where(rows.c.id == gone.id))
    assert take_in(quick, NOON + 2 * DAY) == {Taken.NOTHING: 2}
    assert count(quick, AskedMailRow) == 0


def test_an_idle_look_forgets_old_counts(engine):
    limits = VisitLimits(per_network_per_hour=9)
    signup.receive(engine, sign_up(), limits=limits, now=NOON)
    take_in(engine)
    take_in(engine, NOON + HOUR)
    assert (count(engine, VisitRow), count(engine, AskedMailRow)) == (1, 1)
    take_in(engine, NOON + 3 * DAY)
    assert (count(engine, VisitRow), count(engine, AskedMailRow)) == (0, 0)


def test_what_is_told_of_bounces_is_not_moved_by_forms_of_strangers(quick):
    come(quick)
    for hour in range(1, 5):
        come(quick, ADA, f"topic {hour}", now=NOON + hour * HOUR)
    assert [(row.event, row.happened_at) for row in evidence(quick)] == [
        (ConsentEvent.SUBSCRIBED.value, NOON)
    ]

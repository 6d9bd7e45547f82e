"""One edition serves many digests, until something changes or an hour is over."""

from datetime import timedelta

import pytest

from digest.errors import NotFound
from digest.store.editions import by_id, edition_for
from tests.builders import NOON

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("later", "lookback", "changed", "same"),
    [
        (0 * MINUTE, 7, None, True),
        (59 * MINUTE, 7, None, True),
        (60 * MINUTE, 7, None, False),
        (9 * MINUTE, 7, NOON - 3 * MINUTE, True),
        (9 * MINUTE, 7, NOON - 2 * MINUTE, True),
        (9 * MINUTE, 7, NOON - MINUTE, False),  # it may have been committed after NOON
        (9 * MINUTE, 7, NOON + MINUTE, False),
        (9 * MINUTE, 3, None, False),
        (-9 * MINUTE, 7, None, False),  # made after `now`
    ],
)
def test_an_edition_is_used_again_while_nothing_changed(session, later, lookback, changed, same):
    first = edition_for(session, NOON, 7, None)
    again = edition_for(session, NOON + later, lookback, changed)
    assert (again == first) is same
    assert again.cutoff_at == (NOON if same else NOON + later)
    assert by_id(session, again.id) == again


def test_an_unknown_edition_is_not_found(session):
    with pytest.raises(NotFound, match="edition"):
        by_id(session, 10**6)

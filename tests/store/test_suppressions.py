"""Suppressed addresses, by their hash."""

from datetime import timedelta

from digest.domain.subscribers import SuppressionReason
from digest.store import suppressions
from digest.store.suppressions import Suppression
from tests.builders import NOON

BOUNCE, ERASED = SuppressionReason.BOUNCE, SuppressionReason.ERASED


def test_a_suppression_is_kept_with_its_first_reason(session):
    assert suppressions.add(session, "h", BOUNCE, NOON, email="ada@example.com")
    later = NOON + timedelta(days=1)
    request = SuppressionReason.REQUEST
    assert not suppressions.add(session, "h", request, later, email=None)
    assert not suppressions.add(session, "h", ERASED, later, email=None)
    expected = Suppression(
        address_hash="h", email="ada@example.com", reason=BOUNCE, created_at=NOON
    )
    assert suppressions.listed(session) == [expected]


def test_erased_gives_way_to_a_stronger_reason(session):
    suppressions.add(session, "h", ERASED, NOON, email=None)
    assert not suppressions.add(session, "h", BOUNCE, NOON, email="ada@example.com")
    assert suppressions.reason_for(session, "h") is BOUNCE


def test_a_complaint_outweighs_every_other_reason(session):
    complaint = SuppressionReason.COMPLAINT
    for name, reason in (("b", BOUNCE), ("r", SuppressionReason.REQUEST), ("e", ERASED)):
        suppressions.add(session, name, reason, NOON, email="ada@example.com")
        suppressions.add(session, name, complaint, NOON, email="ada@example.com")
        suppressions.add(session, name, reason, NOON, email=None)
        assert suppressions.reason_for(session, name) is complaint
    assert {one.email for one in suppressions.listed(session)} == {"ada@example.com"}


def test_reasons_are_found_in_bulk_and_lifted_one_by_one(session):
    for name in "ab":
        suppressions.add(session, name, BOUNCE, NOON, email=None)
    assert suppressions.reasons_for(session, ["a", "b", "c"]) == {"a": BOUNCE, "b": BOUNCE}
    assert suppressions.remove(session, "a")
    assert not suppressions.remove(session, "a")
    assert suppressions.reason_for(session, "a") is None
    assert [one.address_hash for one in suppressions.listed(session, limit=0)] == ["b"]


def test_the_address_can_go_and_the_hash_stays(session):
    suppressions.add(session, "h", BOUNCE, NOON, email="ada@example.com")
    suppressions.forget_address(session, "h")
    (found,) = suppressions.listed(session)
    assert (found.email, found.reason) == (None, BOUNCE)

"""Pages of what was pruned: gone politely, and what is left is as it was."""

from datetime import date, timedelta

import pytest

from digest.domain.retention import Keep, Policy
from digest.mail.tokens import Purpose
from digest.services.prune import prune
from digest.store.database import transaction
from digest.store.merge import merge_batch
from digest.web.desk import Desk
from tests.builders import NOON, a_batch, a_listing
from tests.web.building import Browser, Clock, sqlite_engine
from tests.web.people import DAY, Page, a_digest, a_person, some_papers

__all__ = ["sqlite_engine"]

LATER = timedelta(days=420)


@pytest.fixture
def browser(desk: Desk, clock: Clock) -> Browser:
    """Over a store whose papers of March 2026 were pruned in May 2027, all but those voted for."""
    person = a_person(desk)
    papers = some_papers(desk, "Learning to Wait", "Learning to Run")
    a_digest(desk, person, *papers)
    a_digest(desk, person, *papers, day=date(2027, 5, 1))
    clock.now = NOON + LATER
    with transaction(desk.engine) as session:
        young = a_listing("Learning to Stay", listed_on=clock.now.date())
        merge_batch(session, a_batch(young, fetched_at=clock.now), clock.now)
    prune(desk.engine, Policy(keep=Keep(least_papers=1)), clock.now)
    return Browser(desk)


@pytest.mark.parametrize("path", ["/papers/1", f"/archive/{DAY}", "/archive/2026-03-13"])
def test_what_was_pruned_is_not_there_and_leads_on(browser: Browser, path: str) -> None:
    reply = browser.get(path)
    assert reply.status_code == 404
    assert "Learning to Wait" not in reply.text
    assert {"/", "/archive"} & set(Page(reply.text).links.values())


def test_the_archive_goes_on_with_what_is_left(browser: Browser) -> None:
    assert "Learning to Stay" in browser.get("/archive").text
    assert browser.get("/archive?q=Learning").text.count("Learning to") == 1


def test_ones_own_digests_of_pruned_papers_say_so(browser: Browser) -> None:
    shelf = f"/digests/{browser.token(Purpose.READING, 1)}"
    assert "None yet" in Page(browser.get(shelf).text).words
    reply = browser.get(f"{shelf}/{DAY}")
    assert reply.status_code == 404
    assert "its papers are not kept any more" in reply.text

"""The archive: papers by the day they were first listed, search, one paper, on both engines."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlmodel import Session

from digest.domain.papers import SourceKind
from digest.errors import InvalidInput, NotFound, StoreError
from digest.services import archive
from digest.services.archive import calendar, day_of, latest_day, paper_page, search
from digest.services.collect import keep
from digest.services.shown import ShownPaper
from digest.store import archive as queries
from digest.store.database import reading
from tests.builders import NOON, a_batch, a_listing, attention

DAY = NOON.date()
NEXT = DAY + timedelta(days=1)
LATER = NOON + timedelta(days=3)


def came(engine: Engine, *titles: str, at: datetime = NOON, **changes: Any) -> None:
    """Papers of these titles on the day of `at`, the first with the most votes."""
    source = changes.pop("source", "huggingface")
    votes = changes.pop("votes", range(50, 0, -5))
    values = {"listed_on": at.date()} | changes
    listings = [
        a_listing(title, attention=attention(upvotes=n), **values)
        for title, n in zip(titles, votes, strict=False)
    ]
    keep(engine, a_batch(*listings, fetched_at=at, source=source, kind=SourceKind.FEED), at)


def titles(papers: Sequence[ShownPaper]) -> list[str]:
    return [paper.title for paper in papers]


def test_a_paper_stands_on_the_day_it_was_first_listed_and_on_no_other(engine: Engine) -> None:
    came(engine, "Tea", "Bridges")
    came(engine, "Tea", "Clouds", at=NOON + timedelta(days=1))
    came(engine, "Bridges", at=NOON + timedelta(days=1), source="another")
    assert titles(day_of(engine, DAY, LATER).papers) == ["Tea", "Bridges"]
    assert titles(day_of(engine, NEXT, LATER).papers) == ["Clouds"]


def test_a_day_is_in_the_order_of_its_end_whatever_came_later(engine: Engine) -> None:
    came(engine, "Tea", "Bridges", votes=(10, 20))
    came(engine, "Tea", at=NOON + timedelta(hours=3), votes=(30,))
    came(engine, "Bridges", at=NOON + timedelta(days=1), votes=(900,), listed_on=DAY)
    shown = day_of(engine, DAY, LATER)
    assert titles(shown.papers) == ["Tea", "Bridges"]
    assert shown.papers[0].badge.startswith("30 upvotes")
    assert shown.papers[0].trend > shown.papers[1].trend


def test_today_is_in_the_order_of_now(engine: Engine) -> None:
    came(engine, "Tea", "Bridges", votes=(10, 20), at=NOON)
    came(engine, "Tea", at=NOON + timedelta(hours=3), votes=(30,))
    assert titles(day_of(engine, DAY, NOON + timedelta(hours=1)).papers) == ["Bridges", "Tea"]
    assert titles(day_of(engine, DAY, NOON + timedelta(hours=4)).papers) == ["Tea", "Bridges"]


def test_a_day_fetched_afterwards_has_the_order_of_its_first_reading(engine: Engine) -> None:
    came(engine, "Tea", "Bridges", votes=(10, 20), at=LATER, listed_on=DAY)
    came(engine, "Tea", at=LATER + timedelta(hours=3), votes=(30,), listed_on=DAY)
    shown = day_of(engine, DAY, LATER + timedelta(days=1))
    assert titles(shown.papers) == ["Bridges", "Tea"]
    assert shown.papers[0].trend > shown.papers[1].trend > 0


def test_a_long_day_has_pages(engine: Engine) -> None:
    names = [f"Paper {n:02}" for n in range(45)]
    came(engine, *names, votes=range(100, 0, -1))
    first, last = day_of(engine, DAY, LATER), day_of(engine, DAY, LATER, page=3)
    assert (first.total, first.pages, first.start, last.start) == (45, 3, 1, 41)
    assert titles(first.papers) == names[:20]
    assert titles(last.papers) == names[40:]
    assert day_of(engine, DAY, LATER, page=99) == last
    assert day_of(engine, DAY, LATER, page=-1) == first


def test_the_days_beside_are_those_that_have_papers_of_their_own(engine: Engine) -> None:
    for days in (0, 1, 4):
        came(engine, f"Of day {days}", at=NOON + timedelta(days=days))
    came(engine, "Of day 1", at=NOON + timedelta(days=2))
    came(engine, "Of day 1", at=NOON + timedelta(days=2), source="another")
    now = NOON + timedelta(days=5)
    shown = day_of(engine, NEXT, now)
    assert (shown.before, shown.after) == (DAY, DAY + timedelta(days=4))
    assert day_of(engine, DAY, now).before is None
    repeats = day_of(engine, DAY + timedelta(days=2), now)
    assert (repeats.total, repeats.before, repeats.after) == (0, NEXT, DAY + timedelta(days=4))
    assert latest_day(engine, now) == DAY + timedelta(days=4)
    assert latest_day(engine, NOON) == DAY


def test_an_empty_archive_has_no_days(engine: Engine) -> None:
    assert latest_day(engine, NOON) is None
    shown = day_of(engine, DAY, NOON)
    assert (shown.papers, shown.total, shown.before, shown.after) == ((), 0, None, None)
    assert [month.days for month in calendar(engine, DAY)] == [(), (), ()]


@pytest.mark.parametrize("day", [date.min, date.max, date(9999, 12, 30)])
def test_days_at_the_ends_of_time_are_empty(engine: Engine, day: date) -> None:
    came(engine, "Tea")
    assert day_of(engine, day, NOON).papers == ()
    assert calendar(engine, day)[0].first == day.replace(day=1)


def test_the_calendar_lists_days_with_papers_by_month(engine: Engine) -> None:
    for at in (NOON, NOON - timedelta(days=2), NOON - timedelta(days=40)):
        came(engine, f"Of {at:%d}", at=at)
    came(engine, "Of 10", at=NOON - timedelta(days=1))
    months = calendar(engine, DAY, 3)
    assert [month.first for month in months] == [
        date(2026, 3, 1),
        date(2026, 2, 1),
        date(2026, 1, 1),
    ]
    assert [month.days for month in months] == [
        (date(2026, 3, 10), DAY),
        (),
        (date(2026, 1, 31),),
    ]


def test_the_queries_by_day_go_through_indexes(engine: Engine) -> None:
    came(engine, "Tea")
    seen: list[str] = []
    with reading(engine) as session:
        plans = _plans_of(session, seen)
        queries.first_listed_on(session, DAY)
        queries.signals_on(session, DAY)
        queries.days_with_papers(session, [DAY, NEXT])
        queries.day_beside(session, NEXT, later=False)
        plans()
    assert len(seen) >= 4
    for plan in seen:
        assert "ix_signals_source_id_listed_on" in plan
        assert "SCAN signals" not in plan
        assert "Seq Scan on signals" not in plan


def _plans_of(session: Session, plans: list[str]) -> Callable[[], None]:
    """Note the plan of every statement on signals that the session runs until this is called."""
    connection = session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    how = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
    if not is_sqlite:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")

    def explain(conn: Connection, _cursor: Any, sql: str, values: Any, *_rest: Any) -> None:
        if "signals" in sql and not sql.startswith("EXPLAIN"):
            plans.append(str(conn.exec_driver_sql(how + sql, values).all()))

    event.listen(connection, "after_cursor_execute", explain)
    return lambda: event.remove(connection, "after_cursor_execute", explain)


@pytest.mark.parametrize("wanted", ["100%", "a_b", "C:\\tex", '"quoted"', "x*", "o'clock", "-tea"])
def test_a_search_takes_every_sign_for_itself(engine: Engine, wanted: str) -> None:
    came(engine, f"On {wanted} indeed", "On 100 axb and C:tex, quoted, xx, oclock, tea")
    assert titles(search(engine, wanted.upper()).papers) == [f"On {wanted} indeed"]


def test_a_search_gives_the_latest_first_by_pages(engine: Engine) -> None:
    for n in range(3):
        names = [f"Tea {n} {m}" for m in range(10)]
        came(engine, *names, at=NOON + timedelta(days=n), votes=[5] * 10)
    first, second = search(engine, "tea"), search(engine, "tea", page=2)
    assert (len(first.papers), first.more, second.more, second.start) == (20, True, False, 21)
    days = [paper.day for paper in (*first.papers, *second.papers)]
    assert days == sorted(days, key=lambda day: day or DAY, reverse=True)
    assert first.papers[0].badge == "5 upvotes"
    assert search(engine, "coffee").papers == ()


@pytest.mark.parametrize("wanted", ["", "  ", "x" * 201, "a\x00b"])
def test_a_search_for_nothing_is_refused(engine: Engine, wanted: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 200 plain characters"):
        search(engine, wanted)


def test_one_search_at_a_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    came(engine, "Tea")
    monkeypatch.setattr(archive, "SEARCH_WAIT_S", 0)
    with archive._searching, pytest.raises(StoreError, match="searching"):
        search(engine, "tea")
    assert titles(search(engine, "tea").papers) == ["Tea"]
    with pytest.raises(InvalidInput):
        search(engine, "")
    assert titles(search(engine, "tea").papers) == ["Tea"]


def test_a_papers_page_tells_all_and_follows_a_merge(engine: Engine) -> None:
    came(engine, "Tea", venue="TeaConf", aliases=())
    came(engine, "Tea: A Longer Title", source="another", votes=(7,), abstract="Hot water.")
    one, other = (paper.id for paper in day_of(engine, DAY, LATER).papers)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE signals SET paper_id = :new WHERE paper_id = :old"),
            {"new": one, "old": other},
        )
        connection.execute(
            text("UPDATE aliases SET paper_id = :new WHERE paper_id = :old"),
            {"new": one, "old": other},
        )
        connection.execute(
            text("INSERT INTO merged_papers (old_id, paper_id) VALUES (:old, :new)"),
            {"new": one, "old": other},
        )
        connection.execute(text("DELETE FROM papers WHERE id = :old"), {"old": other})
    page = paper_page(engine, other, LATER)
    assert page == paper_page(engine, one, LATER)
    assert (page.shown.id, page.shown.title, page.venue) == (one, "Tea", "TeaConf")
    assert (page.authors, page.shown.day) == (("Ada Lovelace", "Alan Turing"), DAY)
    assert page.first_seen_on == NOON.astimezone(UTC).date()
    assert page.trend.score > 0


@pytest.mark.parametrize("number", [0, 1, 99, 2**31 - 1, 2**31, 10**30])
def test_a_number_that_no_paper_has_is_not_found(engine: Engine, number: int) -> None:
    with pytest.raises(NotFound):
        paper_page(engine, number, NOON)

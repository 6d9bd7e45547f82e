"""The bundled sample: big and varied enough for a demo, and of nothing that exists."""

import csv
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import digest
from digest.domain.interests import InterestKind, interest
from digest.domain.schedule import WEEKDAYS, Frequency, Schedule
from digest.domain.subscribers import Preferences, Status, address

SAMPLE = Path(digest.__file__).parent / "sample"
ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"
DC = "{http://purl.org/dc/elements/1.1/}"
RESERVED_HOSTS = re.compile(r"(^|\.)example\.(org|com)$")
# December 2099: ids of this form exist since April 2007 only, so none can be a real paper's.
FICTIONAL_ID = re.compile(r"9912\.\d{5}")


def read(name: str) -> str:
    return (SAMPLE / name).read_text(encoding="utf-8")


def daily() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(read("daily.json"))
    return found


def entries() -> list[ElementTree.Element]:
    return ElementTree.fromstring(read("feed.xml")).findall(f"{ATOM}entry")


def text(entry: ElementTree.Element, tag: str) -> str:
    return entry.findtext(tag) or ""


def guid(entry: ElementTree.Element) -> tuple[str, int]:
    """The arXiv id without its version, and the version."""
    found = re.fullmatch(r"oai:arXiv\.org:(9912\.\d{5})v(\d+)", text(entry, f"{ATOM}id"))
    assert found, text(entry, f"{ATOM}id")
    return found[1], int(found[2])


def page() -> list[tuple[str, str]]:
    """Title and abstract of each paper of the page, below its masthead."""
    lines = read("page.txt").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("Subscribe"))
    body = [lines[start].removeprefix("Subscribe"), *lines[start + 1 :]]
    assert len(body) % 2 == 0, "a title without abstract"
    return list(zip(body[::2], body[1::2], strict=True))


def same(title: str) -> str:
    """A title without regard to case, hyphens and spaces."""
    return re.sub(r"[\W_]+", "", title.casefold())


def abstracts() -> dict[str, str]:
    found = {item["title"]: item["paper"]["summary"] for item in daily()}
    for entry in entries():
        _, _, abstract = text(entry, f"{ATOM}summary").partition("\nAbstract: ")
        found[text(entry, f"{ATOM}title")] = abstract
    return found | dict(page())


def subscribers() -> list[dict[str, str]]:
    return list(csv.DictReader(read("subscribers.csv").splitlines()))


def test_sample_holds_41_distinct_papers_of_which_seven_listings_repeat_one() -> None:
    ids = {item["paper"]["id"] for item in daily()}
    announced = {guid(entry)[0] for entry in entries()}
    titles = [item["title"] for item in daily()] + [text(e, f"{ATOM}title") for e in entries()]
    known = {same(title) for title in titles}
    repeated = [title for title, _ in page() if same(title) in known]
    assert (len(daily()), len(entries()), len(page())) == (27, 15, 6)
    assert (len(ids), len(announced), len(ids & announced), len(repeated)) == (27, 15, 5, 2)
    assert len({same(title) for title in abstracts()}) == 41


def test_repeats_come_as_newer_versions_and_other_spellings() -> None:
    by_id = {item["paper"]["id"]: item["title"] for item in daily()}
    again = {guid(entry): text(entry, f"{ATOM}title") for entry in entries()}
    shared = {key: title for key, title in again.items() if key[0] in by_id}
    respelt = [t for (id_, _), t in shared.items() if t != by_id[id_]]
    assert sorted(version for _, version in shared) == [1, 1, 1, 2, 3]
    assert respelt == ["Ask twice, retrieve once: Retrieval Augmented Generation on a budget"]
    assert not {title for title, _ in page()} & set(by_id.values())


def test_ids_and_dois_are_ones_that_no_real_paper_can_have() -> None:
    assert all(FICTIONAL_ID.fullmatch(item["paper"]["id"]) for item in daily())
    assert all(FICTIONAL_ID.fullmatch(guid(entry)[0]) for entry in entries())
    dois = [doi for entry in entries() if (doi := text(entry, f"{ARXIV}DOI"))]
    assert len(dois) == 3
    assert all(doi.startswith("10.5555/") for doi in dois)


@pytest.mark.parametrize("name", ["daily.json", "feed.xml", "page.txt"])
def test_every_link_leads_to_a_reserved_host(name: str) -> None:
    namespaces_and_licence = {"arxiv.org", "purl.org", "www.w3.org", "creativecommons.org"}
    hosts = set(re.findall(r"https?://([^/\s\"<]+)", read(name)))
    if name == "feed.xml":
        hosts -= namespaces_and_licence
        links = [e.get("href", "") for e in ElementTree.fromstring(read(name)).iter(f"{ATOM}link")]
        assert links
        assert all(link.startswith("https://example.org/") for link in links)
    assert all(RESERVED_HOSTS.search(host) for host in hosts), hosts


def test_daily_reply_has_the_shape_of_the_api_over_two_days() -> None:
    for item in daily():
        paper = item["paper"]
        assert paper["title"] == item["title"]
        assert paper["authors"]
        assert all(set(author) == {"name", "hidden"} for author in paper["authors"])
        assert paper["upvotes"] >= 0
        assert item["numComments"] >= 0
        assert paper["publishedAt"] <= paper["submittedOnDailyAt"]
        assert ("githubStars" in paper) <= ("githubRepo" in paper)
    days = {item["paper"]["submittedOnDailyAt"][:10] for item in daily()}
    assert days == {"2026-11-19", "2026-11-20"}
    for field in ("ai_summary", "projectPage", "githubRepo", "organization"):
        held = sum(field in item["paper"] for item in daily())
        assert 5 <= held < 27, field


def test_feed_announces_new_cross_and_replaced_papers() -> None:
    kinds = [text(entry, f"{ARXIV}announce_type") for entry in entries()]
    assert set(kinds) == {"new", "cross", "replace", "replace-cross"}
    for entry, kind in zip(entries(), kinds, strict=True):
        id_, version = guid(entry)
        opening = f"arXiv:{id_}v{version} Announce Type: {kind} \nAbstract: "
        assert text(entry, f"{ATOM}summary").startswith(opening)
        assert text(entry, f"{DC}creator")
        assert entry.find(f"{ATOM}category") is not None
        assert (version > 1) == kind.startswith("replace")


def test_abstracts_have_80_to_150_words_and_no_two_begin_alike() -> None:
    found = abstracts()
    lengths = {title: len(abstract.split()) for title, abstract in found.items()}
    assert {t: n for t, n in lengths.items() if not 80 <= n <= 150} == {}
    openings = {" ".join(abstract.split()[:4]) for abstract in found.values()}
    assert len(openings) == 41


def test_sample_exercises_tex_accents_and_other_scripts() -> None:
    everything = read("daily.json") + read("feed.xml") + read("page.txt")
    assert r"\mathcal{O}" in everything
    assert r"\\emph{citations}" in everything
    assert "Zoé Lacombe" in everything
    assert "林雨晴" in everything


def test_five_subscribers_differ_in_every_way_that_the_demo_shows() -> None:
    rows = subscribers()
    assert len({address(row["email"]) for row in rows}) == 5
    assert all(RESERVED_HOSTS.search(row["email"].partition("@")[2]) for row in rows)
    assert {row["status"] for row in rows} == {Status.ACTIVE}
    assert {Frequency(row["frequency"]) for row in rows} == set(Frequency)
    assert len({row["timezone"] for row in rows}) == 5
    assert sum(bool(row["exclude"]) for row in rows) == 1
    assert sum(bool(row["authors"]) and bool(row["categories"]) for row in rows) == 1
    wishes = ("interests", "exclude", "authors", "categories")
    assert sum(not any(row[key] for key in wishes) for row in rows) == 1


@pytest.mark.parametrize("row", subscribers(), ids=lambda row: row["email"])
def test_each_subscriber_row_is_valid(row: dict[str, str]) -> None:
    schedule = Schedule(
        timezone=row["timezone"],
        hour=int(row["hour"]),
        frequency=Frequency(row["frequency"]),
        weekday=WEEKDAYS.index(row["weekday"]),
    )
    Preferences(schedule=schedule, max_papers=int(row["max_papers"]))
    kinds = {
        "interests": InterestKind.PHRASE,
        "exclude": InterestKind.PHRASE,
        "authors": InterestKind.AUTHOR,
        "categories": InterestKind.CATEGORY,
    }
    for column, kind in kinds.items():
        for item in filter(None, row[column].split(";")):
            interest(item, kind)


def test_followed_authors_and_categories_stand_in_the_sample() -> None:
    authors = {a["name"] for item in daily() for a in item["paper"]["authors"]}
    terms = {c.get("term") for entry in entries() for c in entry.findall(f"{ATOM}category")}
    follower = next(row for row in subscribers() if row["authors"])
    assert set(follower["authors"].split(";")) <= authors
    assert set(follower["categories"].split(";")) <= terms

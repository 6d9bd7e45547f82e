"""`digest subscribers`: people in, people out, and what is refused."""

import json

import pytest

from tests.commands import Desk


def _one(desk: Desk, email: str) -> dict[str, object]:
    (found,) = desk.ok("subscribers", "show", email, "--json").json
    return dict(found)


def test_add_with_every_option_is_shown_again(desk: Desk) -> None:
    desk.ok(
        "subscribers", "add", "ada@example.com", "-i", "continual learning^2", "-i", "RAG",
        "-x", "survey", "--author", "Yoshua Bengio", "--category", "cs.LG", "--tz", "Europe/Paris",
        "--hour", "7", "--frequency", "weekly", "--weekday", "Friday", "--max-papers", "5",
        "--confirmed",
    )  # fmt: skip
    person = _one(desk, "ada@example.com")
    expected = {
        "email": "ada@example.com", "status": "active",
        "interests": ["continual learning^2", "RAG"],
        "exclude": ["survey"], "authors": ["Yoshua Bengio"], "categories": ["cs.LG"],
        "timezone": "Europe/Paris", "hour": 7, "frequency": "weekly", "weekday": "friday",
        "max_papers": 5,
    }  # fmt: skip
    assert {key: person[key] for key in expected} == expected
    assert person["next_digest_at"]


def test_add_without_confirmed_waits_for_a_confirmation_that_is_queued(desk: Desk) -> None:
    desk.ok("subscribers", "add", "ada@example.com")
    assert _one(desk, "ada@example.com")["status"] == "pending"
    (mail,) = desk.ok("deliveries", "list", "--json").json
    assert (mail["kind"], mail["state"]) == ("confirm", "queued")
    desk.ok("subscribers", "confirm", "ada@example.com")
    assert _one(desk, "ada@example.com")["status"] == "active"


@pytest.mark.parametrize(
    "email",
    [
        "a@b.example, c@d.example",
        "nobody",
        "@example.com",
        "x" * 320 + "@example.com",
        "a@b.example\r\nBcc: c@d.example",
        "a@b.example\x00",
        "",
    ],
)
def test_bad_address_is_refused_and_nothing_is_added(desk: Desk, email: str) -> None:
    ended = desk.run("subscribers", "add", email, "--confirmed")
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert desk.ok("subscribers", "list", "--json").json == []


def test_international_address_is_taken(desk: Desk) -> None:
    desk.ok("subscribers", "add", "jörg@müller.example", "--confirmed")
    assert _one(desk, "jörg@müller.example")["status"] == "active"


@pytest.mark.parametrize(
    "options",
    [
        ("--tz", "Mars/Base"),
        ("--hour", "24"),
        ("--frequency", "hourly"),
        ("--max-papers", "0"),
        ("--max-papers", "1000"),
        ("--weekday", "caturday"),
        ("-i", "!!!"),
        ("-i", "x" * 65),
        ("-i", "fine^99"),
        ("--threshold", "7"),
    ],
)
def test_bad_option_is_wrong_usage_and_nothing_is_added(
    desk: Desk, options: tuple[str, str]
) -> None:
    ended = desk.run("subscribers", "add", "ada@example.com", *options)
    assert ended.code == 2
    assert desk.ok("subscribers", "list", "--json").json == []


def test_adding_twice_is_refused_without_regard_to_case(desk: Desk) -> None:
    desk.ok("subscribers", "add", "ada@example.com", "--confirmed")
    assert desk.run("subscribers", "add", "Ada@Example.com", "--confirmed").code == 1
    assert len(desk.ok("subscribers", "list", "--json").json) == 1


def test_pause_resume_remove_and_erase(desk: Desk) -> None:
    desk.ok("subscribers", "add", "ada@example.com", "--confirmed")
    desk.ok("subscribers", "pause", "ada@example.com")
    assert _one(desk, "ada@example.com")["status"] == "paused"
    desk.ok("subscribers", "resume", "ada@example.com")
    assert _one(desk, "ada@example.com")["status"] == "active"
    desk.ok("subscribers", "remove", "ada@example.com")
    assert _one(desk, "ada@example.com")["status"] == "unsubscribed"
    assert desk.run("subscribers", "add", "ada@example.com", "--confirmed").code == 1
    desk.ok("subscribers", "erase", "ada@example.com")
    assert desk.run("subscribers", "show", "ada@example.com").code == 1


def test_a_pause_until_a_date_says_when_it_ends(desk: Desk) -> None:
    desk.ok("subscribers", "add", "ada@example.com", "--confirmed")
    at = ("--now", "2026-03-12T12:00Z")
    desk.ok("subscribers", "pause", "ada@example.com", "--until", "2026-03-20", *at)
    assert _one(desk, "ada@example.com")["resume_at"] == "2026-03-20T00:00:00Z"
    for wrong in ("2026-03-12", "soon"):
        refused = desk.run("subscribers", "pause", "ada@example.com", "--until", wrong, *at)
        assert refused.code in {1, 2}
        assert wrong in refused.err
    desk.ok("subscribers", "resume", "ada@example.com")
    assert _one(desk, "ada@example.com")["resume_at"] is None


def test_edit_adds_drops_and_replaces_interests(desk: Desk) -> None:
    desk.ok("subscribers", "add", "ada@example.com", "-i", "one", "-i", "two", "--confirmed")
    desk.ok(
        "subscribers", "edit", "ada@example.com", "-i", "three", "--remove", "one", "--hour", "9"
    )
    person = _one(desk, "ada@example.com")
    assert (person["interests"], person["hour"]) == (["two", "three"], 9)
    desk.ok("subscribers", "edit", "ada@example.com", "--replace", "-i", "four")
    assert _one(desk, "ada@example.com")["interests"] == ["four"]
    assert desk.run("subscribers", "edit", "ada@example.com", "--remove", "gone").code == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("-i", "-games"), ("-x", "games")),
        (("-i", "author:Y. LeCun"), ("--author", "Y. LeCun")),
        (("-i", 'author:"Y. LeCun"'), ("--author", "author:Y. LeCun")),
        (("-i", "cat:cs.*^2"), ("--category", "cs.*^2")),
        (("-i", "-author:LeCun"), ("-x", "author:LeCun")),
        (("-i", "-(agents AND games)"), ("-x", "agents AND games")),
    ],
)
def test_two_ways_to_say_it_are_one_interest(
    desk: Desk, one: tuple[str, str], other: tuple[str, str]
) -> None:
    lists = []
    for email, options in (("ada@example.com", one), ("bob@example.com", other)):
        desk.ok("subscribers", "add", email, *options, "--confirmed")
        person = _one(desk, email)
        names = ("interests", "exclude", "authors", "categories")
        lists.append({name: person[name] for name in names})
    assert lists[0] == lists[1]
    assert any(lists[0].values())


@pytest.mark.parametrize(
    ("options", "place"),
    [
        (("-i", '"continual learning AND agents'), "a quote is never closed, at character 1"),
        (("-i", "agents AND"), "nothing follows AND"),
        (("-i", "author:"), "nothing follows author:"),
        (("-x", "-games"), "excluded already"),
        (("--author", "cat:cs.LG"), "has no place here"),
        (("--category", "cs.LG AND cs.CL"), "give one category"),
        (("-i", "\x1b[31m AND"), "nothing follows AND"),
    ],
)
def test_an_interest_that_cannot_be_read_is_named_with_the_place_in_one_line(
    desk: Desk, options: tuple[str, str], place: str
) -> None:
    for command in (("add", "ada@example.com"), ("add", "bob@example.com", "-i", "fine")):
        ended = desk.run("subscribers", *command, *options)
        assert ended.code == 2
        assert len(ended.err.splitlines()) == 1
        assert place in ended.err
        assert "\x1b" not in ended.err
    assert desk.ok("subscribers", "list", "--json").json == []


def test_interests_of_every_kind_are_listed_and_removed_as_they_are_written(desk: Desk) -> None:
    texts = ('"a b"', "a b AND cat:cs.LG", "venue:ICML", "author:LeCun", "-games", "-author:X")
    given = [part for text in texts for part in ("-i", text)]
    desk.ok("subscribers", "add", "ada@example.com", *given, "--confirmed")
    listed = desk.ok("subscribers", "list").out
    assert all(text in listed for text in texts)
    person = _one(desk, "ada@example.com")
    assert person["interests"] == ['"a b"', "a b AND cat:cs.LG", "venue:ICML"]
    assert (person["authors"], person["exclude"]) == (["LeCun"], ["games", "author:X"])
    for number, text in enumerate(texts, start=1):
        desk.ok("subscribers", "edit", "ada@example.com", "--remove", text)
        names = ("interests", "exclude", "authors")
        left = sum(len(_one(desk, "ada@example.com")[name]) for name in names)  # type: ignore[arg-type]
        assert left == len(texts) - number
    assert desk.run("subscribers", "edit", "ada@example.com", "--remove", '"').code == 2


@pytest.mark.parametrize("command", ["pause", "remove", "erase"])
def test_dry_runs_change_nothing_at_all(desk: Desk, command: str) -> None:
    desk.ok("subscribers", "add", "ada@example.com", "-i", "one", "--confirmed")
    before = desk.ok("subscribers", "list", "--json").out
    desk.ok("subscribers", command, "ada@example.com", "--dry-run")
    desk.ok("subscribers", "add", "bob@example.com", "--dry-run")
    desk.ok("subscribers", "edit", "ada@example.com", "--hour", "3", "--dry-run")
    assert desk.ok("subscribers", "list", "--json").out == before


def test_import_takes_good_rows_and_names_bad_ones(desk: Desk) -> None:
    path = desk.write(
        "people.csv",
        "email,interests,hour,status\n"
        "ada@example.com,continual learning;RAG^2,7,active\n"
        "nobody,x,7,active\n"
        "bob@example.com,robots,25,active\n"
        "eve@example.com,robots,,active\n",
    )
    ended = desk.run("subscribers", "import", path)
    assert ended.code == 3
    assert "2 added" in ended.out
    assert [line[:7] for line in ended.err.splitlines()] == ["line 3:", "line 4:"]
    assert len(desk.ok("subscribers", "list", "--json").json) == 2
    again = desk.run("subscribers", "import", path)
    assert "0 added · 0 changed · 2 unchanged" in again.out


def test_unknown_column_is_refused_by_name(desk: Desk) -> None:
    ended = desk.run(
        "subscribers", "import", desk.write("people.csv", "email,shoe_size\na@b.example,42\n")
    )
    assert ended.code == 2
    assert "shoe_size" in ended.err


def test_export_import_export_gives_the_same_bytes(desk: Desk) -> None:
    desk.ok("subscribers", "add", "ada@example.com", "-i", "=cmd|x", "-i", "a;b^2", "--confirmed")
    desk.ok("subscribers", "add", "jörg@example.com", "-x", "survey", "--author", "林雨晴")
    for ending in ("csv", "jsonl"):
        first, second = desk.folder / f"one.{ending}", desk.folder / f"two.{ending}"
        desk.ok("subscribers", "export", first)
        desk.ok("subscribers", "import", first)
        desk.ok("subscribers", "export", second)
        assert first.read_bytes() == second.read_bytes()
    line = (desk.folder / "one.jsonl").read_text().splitlines()[0]
    assert json.loads(line)["interests"] == ["=cmd|x", "a;b^2"]

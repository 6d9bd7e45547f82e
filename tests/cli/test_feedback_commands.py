"""`digest feedback` as an operator uses it."""

import json

import pytest

LINES = (
    {"id": "2603.00001", "title": "Video diffusion", "abstract": "We diffuse."},
    {"id": "2603.00002", "title": "Bees \x1b[31m dance", "abstract": "They do."},
)


@pytest.fixture
def office(desk):
    """A desk with two papers and one subscriber."""
    papers = desk.write("papers.jsonl", "\n".join(json.dumps(line) for line in LINES))
    desk.ok("fetch", "--file", papers, "--format", "jsonl")
    desk.ok("subscribers", "add", "ada@example.com", "-i", "video", "--confirmed")
    return desk


def test_a_vote_is_listed_with_its_weight(office):
    at = ("--now", "2026-03-12T12:00Z")
    said = office.ok("feedback", "add", "ada@example.com", "2603.00001", "more", *at)
    assert said.lines == ["ada@example.com wants more like Video diffusion"]
    office.ok("feedback", "add", "Ada@Example.com", "2603.00002", "less", *at)
    found = office.ok(
        "feedback", "list", "ada@example.com", "--json", "--now", "2026-06-10T12:00Z"
    ).json
    assert [(item["opinion"], item["weight"]) for item in found] == [("less", 0.5), ("more", 0.5)]
    assert found[1] == {
        "paper": found[1]["paper"], "opinion": "more", "weight": 0.5, "channel": "cli",
        "given_at": "2026-03-12T12:00:00Z", "title": "Video diffusion",
    }  # fmt: skip
    table = office.ok("feedback", "list", "ada@example.com", "--limit", "1")
    assert len(table.lines) == 2 and "\x1b" not in table.out


def test_the_last_word_stands(office):
    office.ok("feedback", "add", "ada@example.com", "2603.00001", "less")
    early = ("--now", "2020-01-01T00:00Z")
    said = office.ok("feedback", "add", "ada@example.com", "2603.00001", "more", *early)
    assert said.lines == ["ada@example.com has a later word on Video diffusion: left as it is"]
    office.ok("feedback", "add", "ada@example.com", "2603.00001", "more")
    (item,) = office.ok("feedback", "list", "ada@example.com", "--json").json
    assert item["opinion"] == "more"


def test_reset_forgets_and_a_dry_run_does_not(office):
    vote = ("feedback", "add", "ada@example.com", "2603.00001", "more")
    assert "would want more" in office.ok(*vote, "--dry-run").out
    assert office.ok("feedback", "list", "ada@example.com").err == "no feedback\n"
    office.ok(*vote)
    reset = ("feedback", "reset", "ada@example.com")
    assert office.ok(*reset, "--dry-run").lines == ["would forget 1 vote of ada@example.com"]
    assert office.ok(*reset).lines == ["forgot 1 vote of ada@example.com"]
    assert office.ok(*reset).lines == ["forgot 0 votes of ada@example.com"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("add", "eve@example.com", "2603.00001", "more"), 1, "no subscriber has the address"),
        (("add", "ada@example.com", "2603.99999", "more"), 1, "no paper '2603.99999'"),
        (("add", "ada@example.com", "2603.00001", "click"), 2, "'more', 'less'"),
        (("list", "eve@example.com"), 1, "no subscriber has the address"),
        (("reset", "eve@example.com"), 1, "no subscriber has the address"),
    ],
)
def test_what_is_not_there_is_named_in_one_line(office, arguments, code, said):
    ended = office.run("feedback", *arguments)
    assert ended.code == code
    assert said in ended.err and ended.err.count("\n") == 1


def test_a_vote_shows_in_the_preview_and_in_the_ledger_until_it_is_reset(office):
    vote = ("feedback", "add", "ada@example.com", "2603.00001", "more")
    told = "more like papers you liked: "

    def said_in_previews() -> list[bool]:
        folder = office.folder / "out"
        office.ok("preview", "ada@example.com", "--out", str(folder))
        files = [path for path in sorted(folder.iterdir()) if path.suffix in (".html", ".txt")]
        return [told in " ".join(path.read_text().split()) for path in files]

    assert said_in_previews() == [False, False]
    office.ok(*vote)
    assert said_in_previews() == [True, True]
    office.ok("feedback", "reset", "ada@example.com")
    assert said_in_previews() == [False, False]
    office.ok(*vote)
    office.ok("compose", "--only", "ada@example.com")
    (row,) = office.ok("deliveries", "list", "--json").json
    shown = office.ok("deliveries", "show", str(row["id"])).out
    assert f"matches video in the title · {told}" in shown

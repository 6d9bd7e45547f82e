"""Hostile words of visitors and of operators: by form, query, header, file and command line."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from digest.logs import configure
from digest.mail.tokens import Purpose
from digest.services.deliver import deliver
from digest.services.preview import write_files
from digest.services.signup import take_in
from tests.builders import NOON
from tests.corpora import harm
from tests.corpora.house import NOW, House
from tests.corpora.strings import OWN, sendable, strings
from tests.moody import options, post_to
from tests.reliability import record
from tests.web.people import a_person

FORM = {"timezone": "UTC", "hour": "8", "frequency": "daily"}
HEADERS = (
    "host", "origin", "referer", "user-agent", "accept", "accept-language", "cookie",
    "authorization", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "if-none-match",
    "if-modified-since", "content-type", "expect", "sec-fetch-site", "x-real-ip", "range",
)  # fmt: skip


def told(house: House, door: str, said: Sequence[str]) -> None:
    looks = sum(house.seen.looks.values())
    record("hostile strings", door, strings=len(said), looks=looks, escaped="all")


def by_the_pages(house: House, said: Sequence[str]) -> None:
    """Each string in each field, query and path; those who get in are mailed and listed."""
    person = a_person(house.web, "mine@lab.example", "learning")
    mine = "/preferences/" + house.browser.token(Purpose.PREFERENCES, person)
    change = {"interests": "a", "exclude": "", "authors": "", "categories": ""} | FORM
    for number, one in enumerate(map(sendable, said)):
        fields = {"email": one, "interests": one, "timezone": one, "hour": one, "frequency": one}
        replies = [
            house.browser.post("/subscribe", fields),
            house.browser.post(
                "/subscribe", FORM | {"email": f"p{number}@lab.example", "interests": one}
            ),
            house.browser.post("/access", {"email": one}),
            house.browser.post(mine, change | dict.fromkeys(("interests", "exclude"), one)),
            house.browser.post(mine, change | dict.fromkeys(("authors", "categories"), one)),
            house.browser.get(mine),
            house.browser.get("/", params={"interests": one, "invitation": one}),
            house.browser.get("/archive", params={"q": one, "page": one}),
            house.browser.get("/feed.atom", params={"interests": one}),
        ]
        for reply in replies:
            assert reply.status_code < 500, (one, reply.status_code, reply.url)
            if "html" in reply.headers["content-type"]:
                house.look_at_reply(reply, ascii(one[:40]))
        _one_path(house, one)
    take_in(house.engine, house.web.keys, NOON)
    _through_confirmations(house)


def _one_path(house: House, one: str) -> None:
    from urllib.parse import quote

    for path in ("/papers/", "/confirm/", "/feeds/", "/"):
        reply = house.browser.get(path + quote(one[:500], safe="", errors="replace"))
        assert reply.status_code < 500, (path, one)
        house.look_at_reply(reply, f"{path}{one[:40]!a}")


def _through_confirmations(house: House) -> None:
    """What was asked for is mailed; the words come out in these mails, in lists and in files."""
    house.sink.received.clear()
    deliver(post_to(house.engine, house.sink, NOON), options())
    assert house.sink.received
    for mail in house.sink.received:
        read = harm.fields_of(mail.content)
        house.seen.look("mail: headers", harm.in_headers(mail.content))
        for part in read.walk():
            if part.get_content_type() == "text/html":
                page = harm.Html(part.get_content())
                odd = [str(one) for one in page.elements - house.known_in_mails]
                house.seen.look("mail: HTML", [*page.harm(), *odd])
            if not part.is_multipart():
                text = part.get_content().replace("\r\n", "\n")
                house.seen.look("mail: text", harm.in_text(text))
    house.through_terminal(
        ("subscribers", "list", "--limit", "0"), ("deliveries", "list", "--limit", "0")
    )
    through_files(house)


def through_files(house: House) -> None:
    """The people in files: nothing that a spreadsheet would run, and the same people again."""
    first = house.cli.ok("subscribers", "export", "-", "--format", "csv").out
    house.seen.look("CSV", harm.in_csv(first))
    house.seen.looks["CSV"] += len(list(csv.reader(io.StringIO(first))))
    path = house.cli.write("people.csv", first)
    again = house.cli.run("subscribers", "import", path, *NOW)
    assert again.code in (0, 3), again.err
    assert house.cli.ok("subscribers", "export", "-", "--format", "csv").out == first
    lines = house.cli.ok("subscribers", "export", "-", "--format", "jsonl").out
    house.seen.look("JSON lines", harm.in_text(lines))
    assert all(json.loads(line) for line in lines.splitlines())


def test_hostile_words_in_forms_queries_and_paths_stay_words(house: House) -> None:
    by_the_pages(house, OWN[::12])


@pytest.mark.slow
def test_more_hostile_words_in_forms_queries_and_paths_stay_words(
    house: House, shared: Path
) -> None:
    said = strings(shared, every=20)
    by_the_pages(house, said)
    told(house, "visitors: forms, queries, paths", said)


def in_headers(house: House, said: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each string in each header of a request; the log tells of them in both forms."""
    for form in ("json", "console"):
        configure("info", form)
        for one in said:
            value = one.encode("utf-8", "replace")
            if any(octet in value for octet in b"\r\n\0"):
                continue  # no server lets these in; what httptools refuses never comes to us
            for path in ("/", "/feed.atom"):
                reply = house.browser.get(path, headers=[(name, value) for name in HEADERS[1:]])
                assert reply.status_code < 500, one
                assert "evil" not in str(reply.headers), one
                house.seen.look("HTTP headers", [])
            reply = house.browser.get("/feed.atom", headers=[("host", value)])
            assert reply.status_code < 500, one
        logged = capsys.readouterr().err
        assert len(logged.splitlines()) >= len(said) // 2
        house.seen.look("log", harm.in_text(logged), form)


def test_hostile_words_in_headers_stay_words(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    in_headers(house, OWN[::9], capsys)


@pytest.mark.slow
def test_more_hostile_words_in_headers_stay_words(
    house: House, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = strings(shared, every=6)
    in_headers(house, said, capsys)
    told(house, "visitors: HTTP headers", said)


@pytest.mark.parametrize("form", ["json", "console"])
def test_every_hostile_word_is_one_line_of_the_log(
    shared: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    import structlog

    configure("info", form)
    said = strings(shared)
    for one in said:
        structlog.get_logger("test").warning(one, note=one, nested={one: [one]})
    logged = capsys.readouterr().err
    assert not harm.in_text(logged), harm.in_text(logged)
    assert logged.count("\n") == len(said) == len(logged.splitlines())
    record("hostile strings", f"log, {form}", strings=len(said), looks=4 * len(said), escaped="all")


# Files and the command line


def by_files(house: House, said: Sequence[str]) -> None:
    """Each string in each column of a CSV and a JSONL file."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("email", "interests", "exclude", "authors", "categories", "timezone"))
    for number, one in enumerate(said):
        email = f"c{number}@lab.example"
        writer.writerow((email, one, "", one, one, "UTC"))
        writer.writerow((one, one, one, one, one, one))
        writer.writerow((f"x{email}", "", one, "", "", ""))
    lines = [
        json.dumps({"email": f"j{number}@lab.example", column: [one]})
        for number, one in enumerate(said)
        for column in ("interests", "exclude", "authors", "categories")
    ]
    for name, content in (("x.csv", out.getvalue()), ("x.jsonl", "\n".join(lines))):
        path = house.cli.write(name, content.encode("utf-8", "replace"))
        ended = house.cli.run("subscribers", "import", path, *NOW)
        assert ended.code == 3, ended.err[-300:]
        house.seen.look("terminal", harm.in_text(ended.out + ended.err), name)
    house.through_terminal(("subscribers", "list", "--limit", "0"))
    through_files(house)


def test_hostile_words_in_files_stay_words(house: House) -> None:
    by_files(house, OWN)


@pytest.mark.slow
def test_all_hostile_words_in_files_stay_words(house: House, shared: Path) -> None:
    said = strings(shared)
    by_files(house, said)
    told(house, "operators: CSV and JSONL files", said)


def by_arguments(house: House, said: Sequence[str]) -> None:
    """Each string as an argument of each kind: one line of error, or what it says."""
    for number, one in enumerate(said):
        given = one.replace("\0", "")  # halves of surrogate pairs stand for bytes that are no UTF-8
        email = f"a{number}@lab.example"
        for command in (
            ("subscribers", "add", given, "-i", "x"),
            ("subscribers", "add", email, f"-i{given}", f"--author={given}", "--confirmed"),
            ("subscribers", "add", email, f"-x{given}", f"--tz={given}"),
            ("subscribers", "list", f"--search={given}"),
            ("papers", "search", "--", given),
            ("fetch", "--file", given[:200], "--format", "feed"),
            ("suppressions", "add", "--", given),
            ("preview", "--", given),
            (given,),
        ):
            ended = house.cli.run(*command)
            assert ended.code in (0, 1, 2, 3), (command, ended.code)
            assert "Traceback" not in ended.err, (command, ended.err[-300:])
            house.seen.look("terminal", harm.in_text(ended.out + ended.err), ascii(command)[:80])


def test_hostile_words_as_arguments_stay_words(house: House) -> None:
    by_arguments(house, OWN[3::12])


@pytest.mark.slow
def test_more_hostile_words_as_arguments_stay_words(house: House, shared: Path) -> None:
    said = strings(shared, every=40)
    by_arguments(house, said)
    told(house, "operators: arguments", said)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("subscribers", "list", "--search", "\udcff"), "error: what was given is not UTF-8"),
        (("fetch", "--file", "a" * 300, "--format", "feed"), "error: "),
        (("--config", "a" * 300, "stats"), "error: config file aaa"),
    ],
)
def test_arguments_that_no_store_or_disk_takes_are_one_line(
    house: House, command: tuple[str, ...], said: str
) -> None:
    ended = house.cli.run(*command)
    assert ended.code in (1, 2)
    assert ended.err.startswith(said)
    assert ended.err.count("\n") == 1


# Names of files


def test_hostile_words_make_no_file_but_in_their_folder(tmp_path: Path, shared: Path) -> None:
    said = strings(shared, every=4)
    inside = tmp_path / "out"
    for one in said:
        for path in write_files(inside, one, {"txt": b"x"}):
            assert path.parent == inside
            assert path.resolve().parent == inside.resolve()
            assert not path.name.startswith((".", "-")), path.name
            assert path.name.isascii()
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    record("hostile strings", "exit: file names", strings=len(said), looks=len(said), escaped="all")

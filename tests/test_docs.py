"""The documents are true: commands, settings, links, and the references that are generated."""

import re
import shlex
import tomllib

import pytest

from digest.settings import Settings, all_keys, variable
from tests.docs import reference
from tests.docs.reading import (
    anchors,
    blocks,
    command_lines,
    commands,
    documents,
    folder_of,
    lacking,
    links,
    refused,
    without_code,
)
from tests.docs.reference import DOCS, ROOT, examples

# Generated pages


@pytest.mark.parametrize("name", ["configuration.md", "cli.md", "licences.md"])
def test_generated_reference_is_up_to_date(name: str) -> None:
    stands = (DOCS / name).read_text(encoding="utf-8")
    assert stands == reference.pages()[name], f"docs/{name} is out of date: run 'make docs'"


def test_reference_names_every_setting_and_variable() -> None:
    text = reference.configuration()
    for key, _ in all_keys():
        assert f"`{variable(key)}`" in text, f"{key}: give it a line in config.example.toml"
    tables = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row for row in tables if row.endswith("| As above. |") and row in tables[:3]] == []
    assert '`DIGEST_STORE__URL` | text | `"sqlite:///digest.sqlite3"` | Where everything' in text
    assert "`DIGEST_DEFAULTS__HOUR` | whole number, 0 to 23 | `8` |" in text


def test_reference_names_every_command_and_option() -> None:
    text = reference.command_line()
    for path, command in commands().items():
        if path != "digest":
            assert re.search(rf"^#+ {path}$", text, re.MULTILINE), path
        for parameter in command.params:
            for option in parameter.opts if path != "digest" else ():
                assert option in text or not option.startswith("-"), f"{path} {option}"


# The help


@pytest.mark.parametrize("path", list(commands()))
def test_help_has_an_example_that_the_command_takes(path: str) -> None:
    command = commands()[path]
    found = examples(command)
    assert found, f"'{path} --help' has no example: end its docstring with 'Example: {path} …'"
    for example in found:
        words = tuple(shlex.split(example, comments=True))
        assert words[0] == "digest"
        assert path == "digest" or example.startswith(path), f"{example!r} shows another command"
        assert refused(words[1:]) == ""


# Every document


@pytest.mark.parametrize("page", sorted(documents()))
def test_every_command_in_a_document_exists_with_its_options(page: str) -> None:
    found = list(command_lines(page, documents()[page]))
    assert [" ".join(one.words) for one in found if lacking(one.words)] == []


@pytest.mark.parametrize("page", sorted(documents()))
def test_every_command_to_be_run_is_taken_by_the_program(page: str) -> None:
    found = [one for one in command_lines(page, documents()[page]) if one.is_whole]
    assert [why for one in found if (why := refused(one.words))] == []


def test_commands_are_found_and_wrong_ones_recognised() -> None:
    text = "`digest papers list\\|look`\n```sh\nsudo digest deliver --wrongly 1  # why\n```\n"
    found = [one.words for one in command_lines("x", text)]
    assert found == [
        ("deliver", "--wrongly", "1"),
        ("papers", "list"),
        ("papers", "look"),
    ]
    assert [lacking(words) for words in found] == ["--wrongly", "", "look"]
    assert "limit" in refused(("deliver", "--limit", "many")).lower()
    assert refused(("deliveries", "show")) != ""


@pytest.mark.parametrize("page", sorted(documents()))
def test_every_setting_in_a_document_exists(page: str) -> None:
    keys = {key for key, _ in all_keys()}
    sections = {key.partition(".")[0] for key in keys if "." in key}
    dotted = re.compile(rf"`(?:\[?)((?:{'|'.join(sorted(sections))})\.[a-z_0-9]+)(?=[\s`=])")
    text = without_code(documents()[page])
    named = {name for name in dotted.findall(text) if not FILES.search(name)}
    assert sorted(named - keys) == []
    for name in set(re.findall(r"\bDIGEST_[A-Z_0-9]+\b", documents()[page])) - OTHER_VARIABLES:
        assert name in {variable(key) for key in keys} or TESTS_OWN.match(name), name


FILES = re.compile(r"\.(?:py|md|toml|zip|dump|sqlite3|db|csv|jsonl)$")
OTHER_VARIABLES = {"DIGEST_CONFIG", "DIGEST_FAULT", "DIGEST_FAULT_TRACE"}
TESTS_OWN = re.compile(r"DIGEST_(?:TEST|BENCH|FAULTS)_")


@pytest.mark.parametrize("page", sorted(documents()))
def test_every_config_in_a_document_is_taken_as_it_stands(page: str) -> None:
    for block in blocks(page, "toml"):
        text = block.text
        if text.count("\nregistration =") > 1 or 'registration = "domains"' in text:
            text = re.sub(r"^registration = .*$", "", text, flags=re.MULTILINE)  # a choice of them
        Settings(**tomllib.loads(text.replace(NEW_KIND, 'kind = "jsonl"')))


NEW_KIND = 'kind = "reading-list"'  # which docs/extending.md adds


@pytest.mark.parametrize("page", sorted(documents()))
def test_every_link_and_anchor_in_a_document_works(page: str) -> None:
    for target in links(documents()[page]):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        path = folder_of(page) / name if name else ROOT / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), target


def test_every_page_of_docs_stands_in_their_index() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    listed = {target for target in links(index) if "/" not in target}
    pages = {path.name for path in DOCS.glob("*.md")} - {"README.md"}
    assert pages - listed == set(), "give each its line in docs/README.md"


def test_every_page_of_docs_begins_with_its_title() -> None:
    for page, text in documents().items():
        first = next(line for line in text.splitlines() if line and not line.startswith("<!--"))
        assert first.startswith("# "), page

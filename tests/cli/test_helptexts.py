"""Help reads well at any width."""

from digest.cli import app
from digest.cli.helptexts import flowing
from tests.docs.reference import walk


def test_lines_end_where_the_terminal_ends_and_the_example_stands_alone() -> None:
    source = "What it does.\n\nSaid in\ntwo lines.\nExample: digest x\n"
    assert flowing(source) == "What it does.\n\nSaid in two lines.\n\nExample: digest x"


def test_no_command_keeps_the_lines_of_its_source() -> None:
    assert app.registered_commands
    for words, command in walk():
        paragraphs = (command.help or "").split("\n\n")
        if command.help and not hasattr(command, "commands"):
            assert all("\n" not in paragraph.strip() for paragraph in paragraphs), words

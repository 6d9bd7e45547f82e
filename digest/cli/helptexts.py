"""Help texts as paragraphs: a terminal breaks their lines, not the source."""

import inspect

import typer


def flow(app: typer.Typer) -> None:
    """Take the line ends out of the help of all commands below, but before an example."""
    for command in app.registered_commands:
        if command.callback and command.help is None:
            command.help = flowing(inspect.getdoc(command.callback) or "")
    for group in app.registered_groups:
        if group.typer_instance:
            flow(group.typer_instance)


def flowing(text: str) -> str:
    """Each paragraph in one line, and the example in one of its own."""
    paragraphs = text.replace("\nExample: ", "\n\nExample: ").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)

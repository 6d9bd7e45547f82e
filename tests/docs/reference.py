"""The references in docs/ that are generated: every setting, and every command.

What a setting means is taken from the comments of config.example.toml, what a command does from its
docstring and the help of its options: each thing is said once.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer.main
from pydantic import BaseModel

from digest.cli import app
from digest.settings import Settings, SourceSettings, variable
from tests.supply import licences

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EXAMPLE = ROOT / "config.example.toml"
MADE = "<!-- Made by 'make docs': change what it is made from, not this page. -->"

CONFIGURATION = (
    "One TOML file, by default `config.toml` beside you; `digest init` writes it from"
    " [config.example.toml](../config.example.toml), and what it does not set keeps its default."
    " Its place is what `--config` names, else `./config.toml`, else `$DIGEST_CONFIG`, else"
    " `$XDG_CONFIG_HOME/digest/config.toml`.",
    "Each key can come from the environment instead. Which wins: command line, environment,"
    " secrets file, TOML, default. An empty variable counts as not set; a key or variable that"
    " does not exist is an error that names it. Relative paths start at the file's folder.",
)
SOURCES = "Where papers come from, one block each. `DIGEST_SOURCES` holds them all as a JSON list."
COMMAND_LINE = (
    "`digest --help` and `digest COMMAND --help` say the same. `--config FILE` comes before the"
    " command. `--json` gives one JSON array on stdout; a listing in a pipe is tab-separated.",
    "Exit codes: **0** done · **1** failed · **2** wrong usage or config · **3** partly done, and"
    " the summary says what failed · **130** interrupted.",
)

Command = Any
"""A command of Typer, whose own classes have no public types."""


def pages() -> dict[str, str]:
    """The generated pages by their names."""
    return {
        "configuration.md": configuration(),
        "cli.md": command_line(),
        "licences.md": licences.page(),
    }


def write() -> None:
    """Write the generated pages into docs/."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


# Configuration


@dataclass(frozen=True, kw_only=True)
class Key:
    """One setting, as its line in the example file has it."""

    key: str
    default: str
    comment: tuple[str, ...]


def configuration() -> str:
    """Every section of the example file as a table."""
    parts = [MADE, "# Configuration", *CONFIGURATION]
    sections: dict[str, list[Key]] = {}
    for one in example_keys():
        sections.setdefault(one.key.rpartition(".")[0], []).append(one)
    for name, keys in sections.items():
        parts += [f"## {title(name)}", *_about(name), *_table(keys)]
    return "\n\n".join(parts) + "\n"


def title(section: str) -> str:
    """What stands in the TOML above its keys."""
    if section == "sources":
        return "`[[sources]]`"
    return f"`[{section}]`" if section else "At the top, above all sections"


def example_keys() -> Iterator[Key]:
    """The lines of the example file that set something, each with the comment above it."""
    section, seen, comment = "", set[str](), list[str]()
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue  # what stands above [[sources]] speaks of its keys
        name, is_set, default = line.partition(" = ")
        key = f"{section}.{name}" if section else name
        if is_set and key not in seen:  # blocks of [[sources]] have the same keys
            seen.add(key)
            yield Key(key=key, default=default, comment=tuple(comment))
        if section != "sources":
            comment = []


def _about(section: str) -> list[str]:
    """What a section is for: the first sentence of its class."""
    if section == "sources":
        return [SOURCES]
    kind = Settings.model_fields[section].annotation if section else None
    return [_cell(" ".join((kind.__doc__ or "").split()))] if isinstance(kind, type) else []


def _table(keys: list[Key]) -> list[str]:
    rows = ["| key, and its variable | takes | default | what it is |", "|---|---|---|---|"]
    for one in keys:
        names = f"`{one.key.rpartition('.')[2]}`"
        if not one.key.startswith("sources."):
            names += f"<br>`{variable(one.key)}`"
        means = _cell(meaning(one) or "As above.")
        rows.append(f"| {names} | {type_words(one.key)} | `{one.default}` | {means} |")
    return ["\n".join(rows)]


def meaning(one: Key) -> str:
    """The comment without the line that names the variable; empty where the one above counts."""
    lines = [line for line in one.comment if not re.match(r"DIGEST_\w+( \(.*\))?$", line)]
    text = " ".join(lines)
    if not one.key.startswith("sources."):
        return text
    name = one.key.removeprefix("sources.")
    if name == "name":
        return "What it is called, in lists and in the log."
    found = re.search(rf"\b{name}: (.+?)(?=[.;] \w+: |\.?$)", text)
    return f"{found[1]}." if found else ""


def _cell(text: str) -> str:
    """Text for a table: commands as code, pages as links, nothing taken for markup."""
    parts = re.split(r"('digest [^']+'|docs/[\w-]+\.md|`[^`]+`)", text)
    return "".join(_shown(part) for part in parts)


def _shown(part: str) -> str:
    if part.startswith("'digest "):
        return f"`{part[1:-1]}`"
    if re.fullmatch(r"docs/[\w-]+\.md", part):
        name = part.removeprefix("docs/")
        return f"[{name}]({name})" if (DOCS / name).exists() else part
    if part.startswith("`"):
        return part.replace("|", "\\|")
    return re.sub(r"([|*<])", r"\\\1", part)


def type_words(key: str) -> str:
    """What a key takes, in words."""
    field = field_of(key)
    return _type_words(field.annotation, list(field.metadata))


def field_of(key: str) -> Any:
    """The pydantic field of a dotted key; raises KeyError where there is none."""
    model: type[BaseModel] = Settings
    *sections, name = key.split(".")
    for section in sections:
        kind = model.model_fields[section].annotation
        model = SourceSettings if section == "sources" else kind  # type: ignore[assignment]
    return model.model_fields[name]


def _type_words(kind: Any, metadata: list[Any]) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_words(inner[0], metadata)
    if origin is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in inner)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(f"`{member.value}`" for member in kind)
    if origin is tuple:
        return "list"
    if origin is dict:
        return "table"
    if origin in (Union, UnionType):
        return _type_words(next(one for one in inner if one is not NoneType), metadata)
    plain = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    return plain[kind] + _range(metadata)


def _range(metadata: list[Any]) -> str:
    bounds = {
        name: value
        for one in metadata
        for name in ("ge", "gt", "le", "lt")
        if (value := getattr(one, name, None)) is not None
    }
    low = bounds.get("ge", bounds.get("gt"))
    high = bounds.get("le", bounds.get("lt"))
    start = "above " if "gt" in bounds else ""
    if low is None and high is None:
        return ""
    if high is None:
        return f", above {low:,}" if start else f", at least {low:,}"
    if low is None:
        return f", at most {high:,}"
    return f", above {low:,}, at most {high:,}" if start else f", {low:,} to {high:,}"


# Command line


def walk(
    command: Command = None, path: tuple[str, ...] = ("digest",)
) -> Iterator[tuple[str, Command]]:
    """Every command and group as (its words, itself), in the order of the help."""
    here = typer.main.get_command(app) if command is None else command
    yield " ".join(path), here
    for name, inner in getattr(here, "commands", {}).items():
        yield from walk(inner, (*path, name))


def examples(command: Command) -> list[str]:
    """The command lines behind `Example:` in the help."""
    _, found, after = " ".join((command.help or "").split()).partition("Example: ")
    lines = [one.strip() for one in after.split(" · ")] if found else []
    return [re.sub(r" \(([^)]*)\)$", r"  # \1", line) for line in lines]


def command_line() -> str:
    """Every command with its options and an example."""
    parts = [MADE, "# Command line", *COMMAND_LINE, _contents()]
    for path, command in walk():
        if path != "digest":
            parts += _entry(path, command)
    return "\n\n".join(parts) + "\n"


def _contents() -> str:
    """What there is, each with its first sentence."""
    rows = ["| command | what it does |", "|---|---|"]
    for path, command in walk():
        if path.count(" ") == 1:
            inner = " · ".join(getattr(command, "commands", ()))
            told = " ".join((command.help or "").split("\n\n")[0].split())
            named = f"[{path}](#{path.replace(' ', '-')})" + (f": {inner}" if inner else "")
            rows.append(f"| {named} | {_cell(told)} |")
    return "\n".join(rows)


def _entry(path: str, command: Command) -> list[str]:
    told = (command.help or "").partition("Example: ")[0]
    parts = [f"{'#' * (path.count(' ') + 1)} {path}"]
    parts += [_cell(" ".join(p.split())) for p in told.split("\n\n") if p.strip()]
    if hasattr(command, "commands"):
        return parts
    parts.append("```sh\n" + "\n".join(examples(command)) + "\n```")
    if rows := [_row(parameter) for parameter in command.params if not parameter.hidden]:
        parts.append("\n".join(["| | |", "|---|---|", *rows]))
    return parts


def _row(parameter: Any) -> str:
    names = [*parameter.opts, *parameter.secondary_opts]
    if not parameter.opts[0].startswith("-"):
        names = [parameter.metavar or parameter.name.upper()]
    elif not parameter.is_flag:
        names[-1] += f" {parameter.metavar or _value_name(parameter)}"
    said = " ".join((parameter.help or "").split())
    needed = " Needed." if parameter.required and parameter.opts[0].startswith("-") else ""
    shown = parameter.default
    if isinstance(shown, Enum):
        shown = shown.value
    default = "" if shown in (None, False, "", ()) or callable(shown) else f" Default: `{shown}`."
    return f"| {', '.join(f'`{name}`' for name in names)} | {_cell(said + needed + default)} |"


def _value_name(parameter: Any) -> str:
    """What stands behind an option without a metavar: its choices, or its kind."""
    kind = parameter.type_descriptor.annotation
    kind = next((one for one in get_args(kind) if one is not NoneType), kind)
    if get_origin(kind) is Literal:
        return "\\|".join(map(str, get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "\\|".join(str(member.value) for member in kind)
    return {int: "N", float: "N", Path: "PATH"}.get(kind, "TEXT")

"""The project's own promises: rooms, pureness, the wheel, and what no file may hold."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "digest"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "_bundled" not in path.parts)
PURE = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in ("domain", "ranking")]

# Who may not import whom: one planted import each, which the contracts must all report.
PLANTED = {
    "errors": ["domain", "store"],
    "domain": ["sources", "store", "mail", "ranking", "services", "app", "cli"],
    "ranking": ["store", "services", "cli"],
    "sources": ["store", "mail", "ranking", "services"],
    "store": ["sources", "mail", "ranking", "services", "app"],
    "mail": ["sources", "store", "services", "app"],
    "services": ["app", "cli", "daemon"],
    "app": ["cli", "daemon"],
}
WORLD = PROJECT["tool"]["importlinter"]["contracts"][1]["forbidden_modules"]


def run(*command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The finished command; only PATH and `env` reach it, so nothing of the session leaks in."""
    variables = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "COLUMNS": "400"} | env
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def tracked_files() -> Iterator[Path]:
    """Every text file of the project: git's list, or the whole tree where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = listed.stdout.split("\0") if listed.returncode == 0 else map(str, ROOT.rglob("*"))
    for name in filter(None, names):
        path = ROOT / name
        hidden = any(part in (".venv", ".git") for part in path.parts)
        if not hidden and path.is_file() and b"\0" not in path.read_bytes():
            yield path


# Rooms


def contracts(root: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the package `digest` in `root`, by our contracts."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from importlinter.cli import lint_imports;"
        "sys.exit(lint_imports(config_filename=sys.argv[2], no_cache=True))"
    )
    return run(sys.executable, "-c", script, root, ROOT / "pyproject.toml", cwd=root)


def test_rooms_import_one_way() -> None:
    result = contracts(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 kept, 0 broken" in result.stdout


def test_every_import_against_the_way_is_reported(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "digest", ignore=shutil.ignore_patterns("__pycache__"))
    for room, others in PLANTED.items():
        planted = "".join(f"import digest.{other}\n" for other in others)
        folder = tmp_path / "digest" / room
        path = folder / "planted.py" if folder.is_dir() else folder.with_suffix(".py")
        path.write_text(planted, encoding="utf-8")
    result = contracts(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Rooms import one way BROKEN" in result.stdout
    said = re.sub(r"\s+", " ", result.stdout)
    expected = {f"digest.{room}": others for room, others in PLANTED.items()}
    silent = [
        f"{room} -> {other}"
        for room, others in expected.items()
        for other in others
        if f"{room} is not allowed to import digest.{other}:" not in said
    ]
    assert silent == []


@pytest.mark.parametrize("room", ["domain", "ranking"])
def test_every_import_of_the_world_by_a_rule_is_reported(room: str, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "digest", ignore=shutil.ignore_patterns("__pycache__"))
    planted = "".join(f"import {module}\n" for module in WORLD)
    (tmp_path / "digest" / room / "planted.py").write_text(planted, encoding="utf-8")
    result = contracts(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    silent = [m for m in WORLD if f"digest.{room}.planted -> {m} " not in result.stdout]
    assert silent == []


def clocks_and_dice(tree: ast.AST) -> list[str]:
    """Calls by which a rule would read the clock or roll dice, however they were imported."""
    forbidden = {"now", "today", "utcnow", "time", "monotonic", "default_rng", "uuid4", "urandom"}
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [f.attr for f in calls if isinstance(f, ast.Attribute) and f.attr in forbidden]
    dice = [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "random"]
    return named + dice


def imported(tree: ast.AST) -> set[str]:
    """Every module that the code names in an import, submodules by their full name."""
    found = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return found


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_rule_takes_addresses_apart_but_opens_none(path: Path) -> None:
    # import-linter knows external packages whole only, and urllib.parse is pure
    named = imported(ast.parse(path.read_text(encoding="utf-8")))
    assert not {"urllib", "urllib.request", "urllib.error"} & named


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_rule_reads_no_clock_and_rolls_no_dice(path: Path) -> None:
    assert clocks_and_dice(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_clock_dice_and_requests_are_recognised() -> None:
    assert "urllib.request" in imported(ast.parse("from urllib import request"))
    assert "urllib.request" in imported(ast.parse("from urllib.request import urlopen"))
    guilty = "datetime.now(UTC); date.today(); np.random.rand(); rng = numpy.default_rng()"
    assert clocks_and_dice(ast.parse(guilty)) == ["now", "today", "default_rng", "random"]


# Modules


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_says_what_it_is_for_and_stays_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(source)), "no docstring"


def third_party_imports(paths: list[Path]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"digest", "tests"}


def distribution(requirement: str) -> str:
    """The normalised project name at the start of a requirement (PEP 503)."""
    name = re.split(r"[\[<>=;~! ]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


# What a package is called in the index where its module has another name; asked of the installed
# ones first, but extras need not be installed.
CALLED = {"sklearn": ["scikit-learn"]}


@pytest.mark.slow
def test_every_imported_package_is_a_declared_dependency() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    optional = [item for name in ("postgres", "scale", "semantic") for item in extras[name]]
    runtime = {distribution(item) for item in project["dependencies"] + optional}
    anyone = runtime | {distribution(item) for extra in extras.values() for item in extra}
    owners = importlib.metadata.packages_distributions()
    for paths, declared in (
        (MODULES, runtime),
        (sorted((ROOT / "tests").rglob("*.py")), anyone),
    ):
        for module in third_party_imports(paths):
            names = {
                distribution(name) for name in owners.get(module) or CALLED.get(module, [module])
            }
            assert names & declared, f"{module} is imported, but not in pyproject.toml"


def test_every_dependency_is_pinned_within_its_range() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", pin) for pin in pins)
    pinned = {distribution(pin): pin.partition("==")[2] for pin in pins}
    assert len(pinned) == len(pins)
    project = PROJECT["project"]
    wanted = project["dependencies"] + [
        item for extra in project["optional-dependencies"].values() for item in extra
    ]
    for item in wanted:
        name = distribution(item)
        if name != distribution(project["name"]):
            least = re.search(r">=([\d.]+)", item)
            assert least, f"{item} has no lower bound"
            assert numbers(pinned[name]) >= numbers(least[1]), item


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


# Files

REGISTRIES = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry.npm" + "js",
    "deb.deb" + "ian.org",
)
MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:" + "work|ro" + r"ot|home/\w+)/")
UNFINISHED = re.compile(r"\b(?:TO" + "DO|FIX" + r"ME|XX" + r"X)\b")


def test_no_file_names_a_registry_a_machine_or_unfinished_work() -> None:
    found = []
    for path in tracked_files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            named = any(host in line.lower() for host in REGISTRIES)
            if named or MACHINE_PATH.search(line) or UNFINISHED.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert found == []


def test_every_file_that_a_document_links_to_exists() -> None:
    guides = [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))]
    assert guides
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", *guides):
        text = (ROOT / name).read_text(encoding="utf-8")
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        local = [target for target in targets if "://" not in target]
        missing = [t for t in local if not ((ROOT / name).parent / t).exists()]
        assert missing == [], name


def test_every_finding_of_bandit_that_is_let_pass_says_why() -> None:
    let_pass = 0
    for path in MODULES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for before, line in pairwise(lines):
            if "nosec" in line:
                let_pass += 1
                assert re.search(r"# nosec B\d{3}$", line), f"{path}: name what is let pass"
                assert before.strip().startswith("# "), f"{path}: say above it why"
    assert let_pass


def test_every_make_target_is_explained_by_make_help() -> None:
    result = run("make", "--no-print-directory", "help", cwd=ROOT)
    assert result.returncode == 0, result.stderr
    names = [line.split()[1] for line in result.stdout.splitlines()]
    targets = "help demo test test-all soak check docs lock bench clean"
    assert names == targets.split()


def test_make_names_a_python_that_is_missing_or_cannot_make_environments(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "constraints.txt", tmp_path)
    bare = tmp_path / "bare-python"
    # a Debian python3 without its venv package: the module ensurepip is not there
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', encoding="utf-8")
    bare.chmod(0o755)
    for python, said in ((tmp_path / "none", "install Python 3.11"), (bare, "python3-venv")):
        result = run("make", "demo", f"PYTHON={python}", cwd=tmp_path)
        assert result.returncode == 2
        assert said in result.stderr


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout without network."""
    out = tmp_path_factory.mktemp("dist")
    built = run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT),
        cwd=out,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed wheel and nothing else; dependencies come from here."""
    target = tmp_path_factory.mktemp("installed")
    command = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target)
    done = run(sys.executable, *command, wheel, cwd=target.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_wheel_holds_templates_migrations_and_sample(wheel: Path) -> None:
    names = {name for name in ZipFile(wheel).namelist() if not name.endswith(".pyc")}
    for folder in ("templates", "migrations"):
        expected = {f"digest/_bundled/{folder}/{name}" for name in files_below(ROOT / folder)}
        assert expected
        assert expected - names == set()
    sample = {f"digest/sample/{name}" for name in files_below(PACKAGE / "sample")}
    assert sample - names == set()
    assert len(sample) == 5
    assert not [name for name in names if name.startswith(("tests/", "digest/planted"))]


@pytest.mark.slow
def test_installed_wheel_finds_its_own_resources(installed: Path, tmp_path: Path) -> None:
    script = (
        "import digest; from digest.resources import folder;"
        "print(digest.__file__, folder('templates'), folder('migrations'), sep='\\n')"
    )
    result = run(sys.executable, "-c", script, cwd=tmp_path, PYTHONPATH=str(installed))
    assert result.returncode == 0, result.stderr
    places = [Path(line) for line in result.stdout.splitlines()]
    assert len(places) == 3
    assert all(place.is_relative_to(installed) and place.exists() for place in places)


@pytest.mark.slow
def test_installed_wheel_runs_the_demo_away_from_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mails"
    result = run(
        *(sys.executable, "-m", "digest", "demo", "--out", out),
        cwd=tmp_path,
        PYTHONPATH=str(installed),
        HOME=str(tmp_path),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for kind in ("eml", "html", "txt"):
        assert len(list(out.rglob(f"*.{kind}"))) >= 5, result.stdout


@pytest.mark.slow
def test_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    command = ("-m", "build", "--no-isolation", "--outdir", tmp_path, ROOT)
    built = run(sys.executable, *command, cwd=tmp_path)  # the wheel is built from the sdist here
    assert built.returncode == 0, built.stdout + built.stderr
    (again,) = tmp_path.glob("*.whl")
    assert set(ZipFile(again).namelist()) == set(ZipFile(wheel).namelist())

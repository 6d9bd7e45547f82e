"""What the tests of deployment share: the files, the guide's blocks, tools of the machine."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
GUIDE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
PROGRAM = "/opt/digest/bin/digest"
SAFE_NAME = "papers.your-lab.example"


def tool(name: str) -> str:
    """A program that need not be on every machine; the test is skipped where it is not."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if not found:
        pytest.skip(f"{name} is not installed here")
    return found


def texts() -> dict[str, str]:
    """The files of deploy/ and the guide, by name."""
    listed = [path for path in DEPLOY.rglob("*") if path.is_file() and "private" not in path.parts]
    files = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in listed}
    return files | {"docs/install.md": GUIDE}


def blocks(language: str) -> list[str]:
    """The fenced blocks of the guide in one language."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def composed() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML, which pre-commit brings, is absent")
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def services() -> dict[str, Any]:
    found: dict[str, Any] = composed()["services"]
    return found

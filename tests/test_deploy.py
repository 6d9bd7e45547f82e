"""What lies in deploy/ is sound by its own tools: units, image and compose file."""

import http.server
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest

from digest.cli.context import Exit
from digest.settings import Settings
from tests.deploying import DEPLOY, GUIDE, PROGRAM, ROOT, composed, services, tool

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MOST_EXPOSURE = 1.5


# Units


def unit(path: Path) -> dict[str, list[str]]:
    """The keys of a unit, each with all of its values."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def seconds(text: str) -> float:
    """A time span as systemd and compose write it, of seconds alone."""
    return float(text.removesuffix("s"))


@pytest.fixture
def installed_unit(tmp_path: Path) -> Callable[[Path], Path]:
    """A copy of a unit that names a program which is there."""
    program = tmp_path / "digest"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)

    def copy(path: Path) -> Path:
        target = tmp_path / path.name
        text = path.read_text(encoding="utf-8").replace(PROGRAM, str(program))
        target.write_text(text, encoding="utf-8")
        return target

    return copy


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_a_unit(
    path: Path, installed_unit: Callable[[Path], Path]
) -> None:
    command = [tool("systemd-analyze"), "verify", str(installed_unit(path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "digest" in line]
    assert (done.returncode, about_ours) == (0, [])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_may_do_little(path: Path, installed_unit: Callable[[Path], Path]) -> None:
    analyse = [tool("systemd-analyze"), "security", "--offline=true", "--no-pager"]
    done = subprocess.run(
        [*analyse, str(installed_unit(path))], capture_output=True, text=True, check=False
    )
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert level, done.stderr
    assert float(level[1]) <= MOST_EXPOSURE


def test_units_have_the_same_rights_and_secrets() -> None:
    own = {
        "Description",
        "Conflicts",
        "After",
        "Type",
        "ExecStart",
        "WatchdogSec",
        "TimeoutStopSec",
    }
    daemon, web = (
        {key: values for key, values in unit(path).items() if key not in own}
        for path in (DEPLOY / "systemd/digest.service", DEPLOY / "systemd/digest-web.service")
    )
    assert daemon == web
    assert daemon["LoadCredential"] == ["secrets.toml:/etc/digest/secrets.toml"]
    assert daemon["Environment"] == ["DIGEST_SECRETS_FILE=%d/secrets.toml"]


def test_units_give_the_daemon_time_to_drain() -> None:
    drain_s = Settings().daemon.drain_s + 40  # the pages end before: servers, intake, window
    (stop,) = unit(DEPLOY / "systemd/digest.service")["TimeoutStopSec"]
    assert seconds(stop) >= drain_s
    assert seconds(services()["digest"]["stop_grace_period"]) >= drain_s


def test_wrong_config_is_no_reason_to_start_again() -> None:
    for path in UNITS:
        assert unit(path)["Restart"] == ["always"]
        assert unit(path)["RestartPreventExitStatus"] == [str(int(Exit.USAGE))]
        assert unit(path)["StartLimitIntervalSec"] == ["0"]


def test_the_user_of_the_units_can_be_made(tmp_path: Path) -> None:
    file = DEPLOY / "systemd" / "digest.sysusers"
    (tmp_path / "etc").mkdir()
    command = [tool("systemd-sysusers"), "--dry-run", f"--root={tmp_path}", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Creating user 'digest'" in done.stdout + done.stderr
    assert {user for path in UNITS for user in unit(path)["User"]} == {"digest"}


def test_the_command_line_hands_over_its_arguments_as_they_are(tmp_path: Path) -> None:
    stub = tmp_path / "runuser"
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    stub.chmod(0o755)
    done = subprocess.run(
        [DEPLOY / "systemd/digest-cli", "subscribers", "add", "a b", "$HOME"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "-u", "digest", "--", PROGRAM, "--config", "/etc/digest/config.toml",
        "subscribers", "add", "a b", "$HOME",
    ]  # fmt: skip


# The image

# ADD is known to builders too, and unpacks or fetches what one did not expect
KNOWN = {
    *("FROM", "RUN", "CMD", "LABEL", "EXPOSE", "ENV", "COPY", "ENTRYPOINT", "VOLUME", "USER"),
    *("WORKDIR", "ARG", "STOPSIGNAL", "HEALTHCHECK", "SHELL"),
}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest), lines joined and comments left out."""
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    kept = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    found = [line.partition(" ") for line in kept.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, _, rest in found]


def of(name: str) -> list[str]:
    """What the instructions of one name say, in order."""
    return [rest for instruction, rest in instructions() if instruction == name]


def test_the_dockerfile_keeps_to_what_every_builder_knows() -> None:
    assert {name for name, _ in instructions()} <= KNOWN
    for base in of("FROM"):
        image = base.split()[0]
        assert re.fullmatch(r"python:3\.\d+-slim-\w+", image), f"{image} is not pinned"
    for folder in of("WORKDIR") + [json.loads(v)[0] for v in of("VOLUME")]:
        assert folder.startswith("/")
    for command in of("CMD") + of("ENTRYPOINT"):
        assert isinstance(json.loads(command), list), "the shell form would swallow SIGTERM"


def test_the_image_runs_as_nobody_in_particular() -> None:
    names = [name for name, _ in instructions()]
    (user,) = of("USER")
    uid, _, gid = user.partition(":")
    assert int(uid) > 1000
    assert int(gid) > 1000
    assert names.index("USER") > max(i for i, name in enumerate(names) if name in ("RUN", "COPY"))
    assert f"chown {user} private/secrets.toml" in GUIDE


def test_no_secret_can_come_into_a_layer() -> None:
    given = " ".join(of("ENV") + of("ARG")).lower()
    assert not re.search(r"secret|pepper|password|token|_url", given)
    sources = [word for copy in of("COPY") if "--from" not in copy for word in copy.split()[:-1]]
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
    assert ignored[1] == "*"
    assert sorted(sources) == sorted(line[1:] for line in ignored if line.startswith("!"))
    assert not any(Path(source).name in ("config.toml", "secrets.toml") for source in sources)


@pytest.mark.slow
def test_the_wheel_can_be_made_of_what_the_build_sees(tmp_path: Path) -> None:
    for copy in of("COPY"):
        if "--from" not in copy:
            *sources, target = copy.split()
            for source in sources:
                into = tmp_path / (Path(source).name if target == "./" else target)
                path = ROOT / source
                shutil.copytree(path, into) if path.is_dir() else shutil.copy(path, into)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "out", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "out").glob("*.whl")
    names = ZipFile(wheel).namelist()
    for needed in ("digest/_bundled/config.example.toml", "digest/_bundled/migrations/env.py"):
        assert needed in names


def test_extras_of_image_and_guide_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"\[([a-z]+(?:,[a-z]+)*)\]\"", " ".join(of("RUN")) + GUIDE)
    assert named
    extras = {extra for group in named for extra in group.split(",")}
    assert extras <= set(project["optional-dependencies"])


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on loopback that gives every request this status; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def healthy(port: int) -> bool:
    """What the image's own check says of a port."""
    (check,) = of("HEALTHCHECK")
    _, _, script = json.loads(check[check.index("[") :])
    assert "8080" in script
    command = [sys.executable, "-c", script.replace("8080", str(port))]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_the_image_is_healthy_while_its_pages_answer() -> None:
    with answering(200) as port:
        assert healthy(port)
    assert not healthy(port)
    with answering(503) as port:
        assert not healthy(port)


# Compose


def test_every_container_is_hardened_and_pinned() -> None:
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name
        assert service["logging"]["options"]["max-size"], name
        tag = service["image"].partition(":")[2]
        assert tag, name
        assert tag != "latest", name
    assert [n for n, s in services().items() if "cap_add" in s] == ["proxy"]


def test_only_the_proxy_can_be_reached_from_outside() -> None:
    assert [name for name, service in services().items() if "ports" in service] == ["proxy"]
    assert "host" not in [service.get("network_mode") for service in services().values()]
    assert composed()["networks"]["back"] == {"internal": True}
    assert services()["db"]["networks"] == ["back"]


def test_secrets_come_as_files_of_which_git_takes_no_notice() -> None:
    files = [part["file"] for kind in ("secrets", "configs") for part in composed()[kind].values()]
    assert len(files) == 3
    for file in files:
        ignored = ["git", "check-ignore", "-q", str(DEPLOY / file)]
        if (ROOT / ".git").exists():
            assert subprocess.run(ignored, cwd=ROOT, check=False).returncode == 0, file
    for service in services().values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("password|secret|pepper|key", name.lower()) or value.startswith(
                "/run/secrets/"
            )


def test_what_compose_names_it_also_declares() -> None:
    whole = composed()
    for service in whole["services"].values():
        mounted = [volume.partition(":")[0] for volume in service.get("volumes", [])]
        for name in mounted:
            assert (DEPLOY / name).exists() if name.startswith("./") else name in whole["volumes"]
        assert set(service.get("secrets", [])) <= set(whole["secrets"])
        assert {part["source"] for part in service.get("configs", [])} <= set(whole["configs"])
        assert set(service["networks"]) <= set(whole["networks"])
        assert set(service.get("depends_on", {})) <= set(whole["services"])
    build = whole["services"]["digest"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")


def test_the_service_waits_for_a_store_that_answers() -> None:
    assert services()["digest"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert services()["db"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]


def test_the_service_believes_the_proxy_alone() -> None:
    (trusted,) = json.loads(services()["digest"]["environment"]["DIGEST_WEB__TRUSTED_PROXIES"])
    (subnet,) = composed()["networks"]["front"]["ipam"]["config"]
    address = services()["proxy"]["networks"]["front"]["ipv4_address"]
    assert ipaddress.ip_network(trusted) == ipaddress.ip_network(address)
    assert ipaddress.ip_address(address) in ipaddress.ip_network(subnet["subnet"])

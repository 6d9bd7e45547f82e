"""A real Postfix of our own on loopback, in a temporary folder: what others' software makes of us.

Needs root and Debian's `postfix`; a test that asks for the fixture is skipped where it is absent.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.mail.relays import make_certificate

DOMAIN = "inbox.test"
USERS = ("ada", "alan", "grace", "papers", "用户", *(f"reader{number}" for number in range(50)))
NOBODY = 65534
WAIT_S = 30.0

_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """Runs within `with`; takes mail for `users` at `domain` and puts it into their maildirs.

    Any other recipient at `domain` is unknown (550 5.1.1). STARTTLS is offered where openssl can
    make a `certificate`; lines of main.cf in `extra` go after ours.
    """

    host = "127.0.0.1"
    domain = DOMAIN

    def __init__(
        self,
        *,
        users: Sequence[str] = USERS,
        extra: Sequence[str] = (),
    ) -> None:
        self.users = tuple(users)
        self.port = 0
        self.folder = Path()
        self.certificate: Path | None = None
        self._extra = tuple(extra)

    def __enter__(self) -> Self:
        # not pytest's folder: its parents are closed to the users that Postfix becomes
        self.folder = Path(tempfile.mkdtemp(prefix="digest-postfix-"))
        self.folder.chmod(0o755)
        with socket.socket() as free:
            free.bind((self.host, 0))
            self.port = free.getsockname()[1]
        try:
            self._write()
            self._command("start")
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._command("stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def maildir(self, user: str) -> Path:
        """Where a user's mail lies; it exists once the first has come."""
        return self.folder / "mail" / user

    def mails(self, user: str, count: int = 1) -> list[bytes]:
        """The user's mails, oldest first, as soon as there are `count` of them."""
        end = time.monotonic() + WAIT_S
        while len(found := list(self.maildir(user).glob("new/*"))) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(found)} of {count} mails for {user}:\n{self.log}")
            time.sleep(0.02)
        found.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [path.read_bytes() for path in found]

    @property
    def log(self) -> str:
        """What Postfix has to say."""
        log = self.folder / "log"
        return log.read_text(errors="replace") if log.exists() else ""

    def _write(self) -> None:
        for name, owner in (("etc", "root"), ("queue", "root"), ("data", "postfix")):
            (self.folder / name).mkdir(mode=0o755)
            shutil.chown(self.folder / name, owner)
        (self.folder / "mail").mkdir()
        os.chown(self.folder / "mail", NOBODY, NOBODY)
        etc = self.folder / "etc"
        boxes = [f"{user}@{self.domain} {user}/" for user in self.users]
        (etc / "boxes").write_text("\n".join(boxes) + "\n")
        (etc / "main.cf").write_text("\n".join(self._settings()) + "\n")
        (etc / "master.cf").write_text(_MASTER.format(port=self.port))

    def _settings(self) -> list[str]:
        folder = self.folder
        return [
            "compatibility_level = 3.6",
            f"queue_directory = {folder}/queue",
            f"data_directory = {folder}/data",
            "daemon_directory = /usr/lib/postfix/sbin",
            "command_directory = /usr/sbin",
            f"maillog_file = {folder}/log",
            f"maillog_file_prefixes = {folder}",
            "inet_interfaces = 127.0.0.1",
            "inet_protocols = ipv4",
            f"myhostname = mx.{self.domain}",
            "mydestination =",
            "mynetworks = 127.0.0.0/8",
            "smtpd_relay_restrictions = reject_unauth_destination",
            "smtputf8_enable = yes",
            f"virtual_mailbox_domains = {self.domain}",
            f"virtual_mailbox_maps = texthash:{folder}/etc/boxes",
            f"virtual_mailbox_base = {folder}/mail",
            f"virtual_uid_maps = static:{NOBODY}",
            f"virtual_gid_maps = static:{NOBODY}",
            "default_transport = error:nothing leaves this machine",
            "alias_maps =",
            "local_recipient_maps =",
            *self._secured(),
            *self._extra,
        ]

    def _secured(self) -> list[str]:
        if not shutil.which("openssl"):
            return []
        self.certificate, key = make_certificate(self.folder / "etc")
        return [
            "smtpd_tls_security_level = may",
            f"smtpd_tls_cert_file = {self.certificate}",
            f"smtpd_tls_key_file = {key}",
        ]

    def _command(self, verb: str) -> None:
        command = ["/usr/sbin/postfix", "-c", str(self.folder / "etc"), verb]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise RuntimeError(f"postfix {verb}: {done.stdout}{done.stderr}{self.log}")


def why_no_postfix() -> str:
    """Why a Postfix of our own cannot run here; empty where it can."""
    if not Path("/usr/sbin/postfix").exists() or not Path("/usr/lib/postfix/sbin/master").exists():
        return "postfix is not installed"
    return "" if os.geteuid() == 0 else "postfix needs root"


@pytest.fixture(scope="session")
def postfix() -> Iterator[Postfix]:
    """One Postfix for the whole session; let each test use mailboxes of its own."""
    if reason := why_no_postfix():
        pytest.skip(reason)
    with Postfix() as running:
        yield running

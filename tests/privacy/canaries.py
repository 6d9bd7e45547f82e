"""Secrets planted in a config, and what each would look like in an output."""

import base64
import re
import socketserver
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.commands import Desk

# Words of their own, so that each leak says of which secret it is; nothing else holds them.
CANARIES = {
    "secret_keys": "CanarySiteKeyFirstQ7xW3mZ9vK1pT5bN",
    "secret_keys, the older one": "CanarySiteKeyOlderR8yX4nA2wL6qU7cM",
    "pepper": "CanaryPepperS9zY5oB3xM7rV8dP2kJ4",
    "smtp.password": "CanaryRelayT1aZ6pC4yN8sW9eQ",
    "bounces.imap_password": "CanaryMailboxU2bA7qD5zP9tX1fR",
    "webhooks.postmark_password": "CanaryHookV3cB8rE6aQ1uY2gS",
    "store.url": "CanaryStoreW4dC9sF7bR2vZ3hT",
    "sources.url, password": "CanarySourceX5eD1tG8cS3wA4iU",
    "sources.url, token": "CanaryTokenY6fE2uH9dT4xB5jV",
}
LEAST = 16  # letters of a form that cannot be there by chance


def forms(secret: str) -> Iterator[bytes]:
    """As it is, in base64 at each offset, percent-encoded, in hexadecimal, as UTF-16."""
    yield secret.encode()
    yield quote(secret, safe="").encode()
    yield secret.encode().hex().encode()
    yield secret.encode("utf-16-le")
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + secret.encode())
        yield coded[(0, 2, 3)[offset] : -4].rstrip(b"=")[1:]


def leaks(said: str | bytes, more: Mapping[str, str] | None = None) -> list[str]:
    """The names of the secrets that are in it, whole or for the greater part."""
    content = said.encode(errors="replace") if isinstance(said, str) else said
    return [
        name
        for name, secret in (CANARIES | dict(more or {})).items()
        if any(form[: max(LEAST, len(form) // 2)] in content for form in forms(secret))
    ]


class _Refusing(socketserver.StreamRequestHandler):
    """A relay that repeats what it does not take, as some do: the login with all that is in it."""

    def handle(self) -> None:
        self._say("220 relay.example")
        while line := self._heard():
            match line.upper().split()[:2]:
                case ["EHLO", *_]:
                    self._say("250-relay.example", "250-AUTH PLAIN LOGIN", "250 8BITMIME")
                case ["AUTH", "LOGIN"]:
                    if line.upper().endswith("LOGIN"):
                        self._say("334 VXNlcm5hbWU6")
                        self._heard()
                    self._say("334 UGFzc3dvcmQ6")
                    self._say(f'535 5.7.8 No such login: "{self._heard()}"')
                case _:
                    self._say(f"535 5.7.8 Command unrecognized: '{line}'")

    def _heard(self) -> str:
        return self.rfile.readline().decode(errors="replace").strip()

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def repeating_relay() -> Iterator[int]:
    """That relay on loopback; its port."""
    with _Server(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


def planted(desk: Desk, *, relay: int, store: str) -> dict[str, str]:
    """Write config, key and secrets; gives the lines of the DKIM key, which are secrets too.

    `store` is what `store.url` says. The source is a port where nobody listens.
    """
    source = (
        f"http://reader:{CANARIES['sources.url, password']}@127.0.0.1:9/feed"
        f"?token={CANARIES['sources.url, token']}"
    )
    config = f"""
secret_keys = ["{CANARIES["secret_keys"]}", "{CANARIES["secret_keys, the older one"]}"]
pepper = "{CANARIES["pepper"]}"
[store]
url = "{store}"
[sender]
address = "digest@papers.example"
[site]
url = "https://papers.example"
[web]
port = 0
[smtp]
host = "127.0.0.1"
port = {relay}
security = "none"
username = "relay-user"
password = "{CANARIES["smtp.password"]}"
timeout_s = 2
[dkim]
key_file = "dkim.pem"
[bounces]
imap_host = "127.0.0.1"
imap_port = 9
imap_username = "mailbox-user"
imap_password = "{CANARIES["bounces.imap_password"]}"
[webhooks]
postmark_username = "postmark"
postmark_password = "{CANARIES["webhooks.postmark_password"]}"
[ranking]
tier = "core"
[http]
allow_private = ["127.0.0.1"]
deadline_s = 2
[log]
level = "debug"
[[sources]]
name = "feed"
kind = "feed"
url = "{source}"
"""
    path = desk.write("config.toml", config)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    desk.ok("dkim", "keygen", "--out", "dkim.pem")
    return {"dkim.key_file": _longest_line(desk.folder / "dkim.pem")}


def _longest_line(pem: Path) -> str:
    """A line of the key in the middle of the file, where all is secret."""
    lines = re.findall(r"^[A-Za-z0-9+/]{60,}$", pem.read_text(encoding="utf-8"), re.MULTILINE)
    return str(lines[len(lines) // 2])

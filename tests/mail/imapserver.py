"""A small IMAP server over TLS on loopback: one account, its folders, and mails with flags."""

import datetime
import ipaddress
import re
import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def a_certificate(folder: Path, host: str = "127.0.0.1") -> Path:
    """A self-made certificate for that address with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    subject = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC))
        .add_extension(subject, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@dataclass
class Stored:
    """One mail of a folder."""

    raw: bytes
    flags: set[str] = field(default_factory=set)


class ImapServer(socketserver.ThreadingTCPServer):
    """Serves until closed; `commands` are those received, `folders` by their names on the wire."""

    daemon_threads = True

    def __init__(self, certificate: Path | None, password: str = "secret") -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        self.username, self.password = "bounces", password
        self.folders: dict[str, dict[int, Stored]] = {"INBOX": {}}
        self.commands: list[str] = []
        self.fails_at = ""
        self.announces = 0  # so many bytes for each mail, whatever it has
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def put(self, *mails: bytes, folder: str = "INBOX", flags: tuple[str, ...] = ()) -> None:
        """Let mails arrive."""
        inside = self.folders.setdefault(folder, {})
        for raw in mails:
            inside[max(inside, default=100) + 1] = Stored(raw, set(flags))

    def seen(self, folder: str = "INBOX") -> list[int]:
        """The UIDs marked as seen."""
        return [uid for uid, mail in self.folders[folder].items() if "\\Seen" in mail.flags]

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up in the middle is no fault of this server."""

    def __enter__(self) -> "ImapServer":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Session(socketserver.StreamRequestHandler):
    server: ImapServer

    def setup(self) -> None:
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        self.folder: dict[int, Stored] = {}
        self._say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            tag, _, command = line.partition(" ")
            self.server.commands.append(command)
            verb = re.match(r"(?:UID )?\w+", command.upper())
            if verb is None or (self.server.fails_at and verb[0] == self.server.fails_at):
                return
            answer = getattr(self, "do_" + verb[0].lower().replace(" ", "_"))
            self._say(f"{tag} {answer(command)}")
            if verb[0] == "LOGOUT":
                return

    def _say(self, text: str | bytes) -> None:
        self.wfile.write((text.encode() if isinstance(text, str) else text) + b"\r\n")

    def do_capability(self, _: str) -> str:
        self._say("* CAPABILITY IMAP4rev1 AUTH=PLAIN")
        return "OK done"

    def do_login(self, command: str) -> str:
        _, user, password = command.replace('"', "").split(" ", 2)
        if (user, password) == (self.server.username, self.server.password):
            return "OK welcome"
        return f"NO no such account: {user} {password}"

    def do_authenticate(self, _: str) -> str:
        self._say("+ ")
        self.rfile.readline()
        return "OK welcome"

    def do_select(self, command: str) -> str:
        name = command.split(" ", 1)[1].strip('"')
        if name not in self.server.folders:
            return "NO no such folder"
        self.folder = self.server.folders[name]
        self._say(f"* {len(self.folder)} EXISTS")
        return "OK [READ-WRITE] done"

    def do_uid_search(self, command: str) -> str:
        assert command.upper().endswith("UNSEEN")
        found = [uid for uid, mail in self.folder.items() if "\\Seen" not in mail.flags]
        self._say("* SEARCH" + "".join(f" {uid}" for uid in found))
        return "OK done"

    def do_uid_fetch(self, command: str) -> str:
        asked = re.fullmatch(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)", command)
        assert asked
        if mail := self.folder.get(int(asked[1])):
            raw = mail.raw[: int(asked[2])]
            size = self.server.announces or len(raw)
            head = f"* 1 FETCH (UID {asked[1]} BODY[]<0> {{{size}}}\r\n".encode()
            self._say(head + raw + b")")
        return "OK done"

    def do_uid_store(self, command: str) -> str:
        asked = re.fullmatch(r"UID STORE ([\d,]+) \+FLAGS\.SILENT \((\S+)\)", command)
        assert asked
        for uid in asked[1].split(","):
            self.folder[int(uid)].flags.add(asked[2])
        return "OK done"

    def do_logout(self, _: str) -> str:
        self._say("* BYE")
        return "OK done"

"""The world on loopback as a doctor asks it: name servers with records that a test writes."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

from digest.domain.checkup import Area, Finding
from digest.domain.relay import Security
from digest.errors import ConfigError
from digest.mail.handshake import RelaySettings
from digest.services.doctor import (
    Checkup,
    ConfigFacts,
    Dkim,
    Hooks,
    Pages,
    Sender,
    StoreFacts,
    World,
    examine,
    plan,
)
from digest.services.doctor.dns import Dns
from digest.services.doctor.web import Web
from digest.sources.http import HttpClient
from digest.store.database import open_engine

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DOMAIN = "lab.example"
# What a service in good order publishes; the addresses are those of documentation (RFC 5737).
GOOD = {
    (".", "NS"): ["a.root."],
    (DOMAIN, "TXT"): ['"v=spf1 mx -all"', '"unrelated"'],
    (DOMAIN, "MX"): ["10 mail.lab.example."],
    ("_dmarc." + DOMAIN, "TXT"): ['"v=DMARC1; p=none"'],
    ("mail." + DOMAIN, "A"): ["192.0.2.1"],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["mail.lab.example."],
}


@dataclass
class Names:
    """A name server. A name that has no record of any type does not exist; `silent` ones, and with
    `deaf` all, get no answer.
    """

    records: dict[tuple[str, str], list[str]]
    silent: set[str] = field(default_factory=set)
    deaf: bool = False
    port: int = 0

    def answer(self, wire: bytes) -> bytes | None:
        question = dns.message.from_wire(wire)
        (asked,) = question.question
        name = asked.name.to_text().rstrip(".").lower() or "."
        if self.deaf or name in self.silent:
            return None
        reply = dns.message.make_response(question)
        reply.flags |= dns.flags.RA
        known = {(one.lower(), kind): values for (one, kind), values in self.records.items()}
        if values := known.get((name, dns.rdatatype.to_text(asked.rdtype))):
            reply.answer = [
                dns.rrset.from_text_list(asked.name, 60, asked.rdclass, asked.rdtype, values)
            ]
        elif not any(one == name for one, _ in known):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()

    @property
    def dns(self) -> Dns:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self.port
        return Dns(resolver, 0.3)


@contextmanager
def name_server(records: dict[tuple[str, str], list[str]]) -> Iterator[Names]:
    """Serve these records on loopback."""
    names = Names(dict(records))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        names.port = server.getsockname()[1]

        def serve() -> None:
            while True:
                wire, asker = server.recvfrom(4096)
                if not wire:
                    return
                if answer := names.answer(wire):
                    server.sendto(answer, asker)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield names
        finally:
            server.sendto(b"", ("127.0.0.1", names.port))
            thread.join()


def a_world(names: Names, **changes: Any) -> World:
    """The world of this name server; nothing else of it can be reached."""
    values: dict[str, Any] = {
        "dns": names.dns,
        "web": Web(2.0),
        "http": HttpClient(deadline_s=2.0, most_tries=1),
        "clock": lambda: NOW,
        "synchronised": lambda: True,
        "host_name": lambda: "mail.lab.example",
        "is_public": lambda address: not address.is_loopback,
        "deadline_s": 2.0,
    }
    return World(**values | changes)


def read_no_key(text: str) -> object:
    raise ConfigError("webhooks.sendgrid_public_key is no key: copy it from SendGrid")


def a_checkup(folder: Path, **changes: Any) -> Checkup:
    """What a service in good order says of its settings; the relay is on this machine."""
    path = folder / "digest.sqlite"
    values: dict[str, Any] = {
        "config": ConfigFacts(
            config_file=folder / "config.toml",
            secrets_file=folder / "secrets.toml",
            warnings=(),
            has_keys=True,
            has_pepper=True,
        ),
        "store": StoreFacts(
            name="sqlite:///digest.sqlite",
            path=path,
            engine=lambda: open_engine(f"sqlite:///{path}"),
            is_shared=False,
        ),
        "sender": Sender(address=f"digest@{DOMAIN}", bounces=""),
        "relay": RelaySettings(host="127.0.0.1", port=9, security=Security.NONE),
        "dkim": Dkim(
            domain="",
            selector="digest",
            key_file=None,
            ed25519_selector="",
            ed25519_key_file=None,
        ),
        "pages": Pages(url="https://lab.example", host="127.0.0.1", port=8080, trusts_proxies=True),
        "hooks": Hooks(
            ses_topics=(),
            sendgrid_key="",
            postmark_username="",
            postmark_password="",
            read_sendgrid_key=read_no_key,
        ),
        "sources": (),
    }
    return Checkup(**values | changes)


def found(checkup: Checkup, world: World, *areas: Area) -> list[Finding]:
    """What the doctor finds in these areas."""
    checks = plan(checkup, world, areas)
    return list(examine(checks, 5.0, checkup.secrets))


def levels(findings: Sequence[Finding]) -> dict[str, str]:
    """The level of each finding by its name."""
    return {one.name: one.level.value for one in findings}

"""The program's main ways from the sources to the inbox, each as commands over a small store."""

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine

from digest.domain.subscribers import Channel
from digest.services.subscribe import Keys, subscribe
from digest.store.database import transaction
from tests.builders import NOON, some_interests
from tests.commands import SECRETS
from tests.faults.kills.relay import PASSWORD, Taker

KEYS = Keys(
    pepper=SECRETS["DIGEST_PEPPER"], secret=SECRETS["DIGEST_SECRET_KEYS"], domain="papers.example"
)
LATE = "2026-03-12T23:00Z"  # the hour of everybody's digest has come
LATER = "2026-03-13T04:00Z"  # and the time of every next try
MUCH_LATER = "2026-03-16T04:00Z"  # and all patience with a relay that says no for now is over
GONE, VOID, BUSY = "gone@example.com", "void@example.com", "busy@example.com"
READERS = ("ada@example.com", "alan@example.org", "grace@example.net", "kurt@example.com")
TITLES = ("Learning to Wait", "Waiting for Learning", "Why Waiting Works")

CONFIG = """
[sender]
address = "digest@papers.example"
[site]
url = "https://papers.example"
[smtp]
host = "127.0.0.1"
[delivery]
claim = 3
[ranking]
tier = "core"
[log]
format = "json"
[[sources]]
name = "papers"
kind = "jsonl"
path = "papers.jsonl"
"""


@dataclass(frozen=True, kw_only=True)
class Way:
    """Commands, one after the other, over a store that `fill` has made; then what is left goes out
    by `drain`, as often as it takes.

    `secure` wants TLS and a login of the relay, and takes commands one by one. `settings` are no
    longer in force when what is left goes out.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    fill: Callable[[Path, Engine], None]
    connections: int
    secure: bool = False
    refuses: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    settings: dict[str, str] = field(default_factory=dict)
    drain: tuple[str, ...] = ("deliver", "--now", LATER)

    def relay(self, tls: ssl.SSLContext) -> Taker:
        """The relay that this way needs."""
        secured = tls if self.secure else None
        return Taker(
            pipelining=not self.secure, tls=secured, refuses=self.refuses, wait_s=self.wait_s
        )

    def relay_settings(self, relay: Taker, certificate: Path) -> dict[str, str]:
        """What the program is told of the relay in its environment."""
        way = {
            "DIGEST_SMTP__PORT": str(relay.port),
            "DIGEST_SMTP__CONNECTIONS": str(self.connections),
            "DIGEST_SMTP__SECURITY": "starttls" if self.secure else "none",
        }
        login = {
            "DIGEST_SMTP__USERNAME": "digest",
            "DIGEST_SMTP__PASSWORD": PASSWORD,
            "DIGEST_SMTP__CA_FILE": str(certificate),
        }
        return way | (login if self.secure else {})


def town(*readers: str) -> Callable[[Path, Engine], None]:
    """A source with three papers, and readers who will want a digest of them."""

    def fill(folder: Path, engine: Engine) -> None:
        (folder / "config.toml").write_text(CONFIG)
        lines = [
            json.dumps(
                {"id": str(n), "title": title, "abstract": f"{title}. " * 30, "authors": ["A. B."]}
            )
            for n, title in enumerate(TITLES)
        ]
        (folder / "papers.jsonl").write_text("\n".join(lines))
        with transaction(engine) as session:
            for email in readers:
                subscribe(
                    session,
                    email,
                    interests=some_interests("waiting"),
                    confirmed=True,
                    channel=Channel.CLI,
                    now=NOON - timedelta(days=1),
                    keys=KEYS,
                )

    return fill


DIGESTS = Way(
    name="digests",
    commands=(("fetch", "--now", LATE), ("send", "--now", LATE)),
    fill=town(*READERS),
    connections=2,
)
LOGIN = Way(
    name="login",
    commands=(
        ("fetch", "--now", LATE),
        ("compose", "--now", LATE),
        ("deliver", "--now", LATE),
        ("deliver", "--now", MUCH_LATER),
    ),
    fill=town(GONE, READERS[0], VOID, BUSY, *READERS[1:]),
    connections=1,
    secure=True,
    refuses={
        GONE: "550 5.1.1 no such mailbox",  # before the relay has proved sound, and after
        VOID: "550 5.1.1 no such mailbox",
        BUSY: "450 4.2.0 try again later",
    },
    settings={"DIGEST_SMTP__MESSAGES_PER_CONNECTION": "2"},
)
LIMITS = Way(
    name="limits",
    commands=(("fetch", "--now", LATE), ("compose", "--now", LATE), ("deliver", "--now", LATE)),
    fill=town(*READERS),
    connections=2,
    wait_s=0.8,  # longer than from one heartbeat to the next
    settings={
        "DIGEST_DELIVERY__LEASE_S": "2",
        "DIGEST_LIMITS__PER_HOUR": "3",
        "DIGEST_LIMITS__CONNECTIONS": "2",
    },
)

"""The relay: reached, greeted, under TLS, logged in to; no mail is sent."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial

from digest.domain.checkup import Area, Finding, fail, ok, unknown, warn
from digest.domain.relay import Security
from digest.errors import RelayError
from digest.mail.dialogue import Dialogue
from digest.mail.handshake import Handshake, RelaySettings
from digest.services.doctor.certificates import certificate_finding, ends_at
from digest.services.doctor.model import Check, Checkup, NotAsked, World

_CERTIFICATE = (
    "have it renewed, name the relay in smtp.host as it does, or, if it is one of your own, name "
    "its file in smtp.ca_file"
)


def checks(checkup: Checkup, world: World) -> list[Check]:
    """The relay's checks."""
    return [Check(area=Area.SMTP, name="connect", run=partial(_relay, checkup, world))]


def _relay(checkup: Checkup, world: World) -> Iterator[Finding]:
    if world.offline and not checkup.relay_is_near:
        raise NotAsked("not asked: --offline")
    settings = replace(checkup.relay, timeout_s=world.deadline_s, data_timeout_s=world.deadline_s)
    try:
        certificate = asyncio.run(_greeted(replace(settings, username=None, password=None)))
    except RelayError as exc:
        yield _unreachable(str(exc), checkup, world)
        return
    yield ok(Area.SMTP, "connect", f"{settings.host}:{settings.port} greets us")
    yield from _tls(checkup, certificate, world.clock())
    yield _login(settings)


async def _greeted(settings: RelaySettings) -> bytes | None:
    """Connect as a sender does and say goodbye; the relay's certificate, if it has one."""
    wire, offers = await Handshake(settings).connect()
    certificate = wire.certificate
    await Dialogue(wire, offers, settings.timeout_s, settings.timeout_s).quit(1.0)
    return certificate


def _unreachable(said: str, checkup: Checkup, world: World) -> Finding:
    text, _, mend = said.rpartition("; ")
    if "certificate" in said.lower():
        return fail(Area.SMTP, "certificate", text or said, _CERTIFICATE)
    if "STARTTLS" in said:
        text, _, mend = said.rpartition(": ")
        return fail(Area.SMTP, "tls", text, mend)
    if not checkup.relay_is_near and not world.dns.is_up:
        return unknown(Area.SMTP, "connect", text, "look again where there is network")
    return fail(Area.SMTP, "connect", text or said, mend)


def _tls(checkup: Checkup, der: bytes | None, now: datetime) -> Iterator[Finding]:
    if checkup.relay.security is not Security.NONE:
        yield ok(Area.SMTP, "tls", f"{checkup.relay.security.value}, the certificate is trusted")
        if der:
            yield certificate_finding(Area.SMTP, ends_at(der), now, _CERTIFICATE)
    elif checkup.relay_is_near:
        yield ok(Area.SMTP, "tls", "none, and none is needed on this machine")
    else:
        text = "none: every mail, with its links, crosses the network in clear"
        yield warn(Area.SMTP, "tls", text, "set smtp.security to 'starttls' or 'tls'")


def _login(settings: RelaySettings) -> Finding:
    if not settings.username:
        return ok(Area.SMTP, "login", "none is set")
    try:
        asyncio.run(_greeted(settings))
    except RelayError as exc:
        text, _, mend = str(exc).rpartition("; ")
        return fail(Area.SMTP, "login", text or str(exc), mend)
    return ok(Area.SMTP, "login", f"{settings.username} is let in")

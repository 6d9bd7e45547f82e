"""The doctor on the relay: real servers on loopback, with TLS and a login."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from digest.domain.checkup import Area, Finding, Level
from digest.domain.relay import Security
from digest.services.doctor import World
from tests.mail.relays import (
    Inbox,
    Script,
    aiosmtpd_relay,
    make_certificate,
    run,
    scripted_relay,
    server_context,
    settings,
)
from tests.services.doctoring import GOOD, Names, a_checkup, a_world, found, levels, name_server


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    with name_server(GOOD) as served:
        yield served


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("relay"))


def look(
    server: AbstractAsyncContextManager[int], folder: Path, world: World, **relay: Any
) -> list[Finding]:
    """What the doctor says of this server."""
    told: list[Finding] = []

    async def scenario() -> None:
        async with server as port:
            checkup = a_checkup(folder, relay=settings(port, **relay))
            told.extend(await asyncio.to_thread(found, checkup, world, Area.SMTP))

    run(scenario)
    return told


def ends(certificate: Path) -> Any:
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc


@pytest.mark.parametrize(
    ("security", "password"),
    [(Security.STARTTLS, "secret"), (Security.TLS, "secret"), (Security.TLS, "wrong")],
)
def test_a_relay_is_greeted_under_tls_and_logged_in_to_and_gets_no_mail(
    names: Names,
    tmp_path: Path,
    certificate: tuple[Path, Path],
    security: Security,
    password: str,
) -> None:
    inbox = Inbox()
    server = aiosmtpd_relay(
        inbox,
        tls=server_context(*certificate),
        implicit=security is Security.TLS,
        authenticator=inbox.authenticate,
        auth_require_tls=security is Security.STARTTLS,
    )
    told = look(
        server,
        tmp_path,
        a_world(names),
        security=security,
        ca_file=str(certificate[0]),
        username="me",
        password=password,
    )
    let_in = password == "secret"
    assert levels(told) == {
        "connect": "ok",
        "tls": "ok",
        "certificate": "ok",
        "login": "ok" if let_in else "fail",
    }
    assert inbox.logins[-1] == (b"me", password.encode())
    assert inbox.mails == []
    if not let_in:
        assert told[-1].mend == "check smtp.username and smtp.password"


@pytest.mark.parametrize(("left", "level"), [(15, "ok"), (13, "warn"), (-1, "fail")])
def test_a_certificate_that_ends_soon_is_told_with_its_days(
    names: Names, tmp_path: Path, certificate: tuple[Path, Path], left: int, level: str
) -> None:
    now = ends(certificate[0]) - timedelta(days=left, hours=1)
    told = look(
        aiosmtpd_relay(Inbox(), tls=server_context(*certificate)),
        tmp_path,
        a_world(names, clock=lambda: now),
        security=Security.STARTTLS,
        ca_file=str(certificate[0]),
    )
    assert levels(told)["certificate"] == level
    (finding,) = [one for one in told if one.name == "certificate"]
    assert f"{left} days left" in finding.text


def test_a_certificate_that_nobody_vouches_for_fails_and_no_password_is_said(
    names: Names, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    inbox = Inbox()
    (told,) = look(
        aiosmtpd_relay(inbox, tls=server_context(*certificate), authenticator=inbox.authenticate),
        tmp_path,
        a_world(names),
        security=Security.STARTTLS,
        username="me",
        password="secret",
    )
    assert (told.name, told.level) == ("certificate", Level.FAIL)
    assert "smtp.ca_file" in told.mend
    assert inbox.logins == []


def test_a_relay_that_offers_no_tls_is_told_so(names: Names, tmp_path: Path) -> None:
    (told,) = look(aiosmtpd_relay(Inbox()), tmp_path, a_world(names), security=Security.STARTTLS)
    assert (told.name, told.level) == ("tls", Level.FAIL)
    assert "set smtp.security to 'tls'" in told.mend


def test_a_relay_on_this_machine_needs_no_tls_and_is_asked_offline_too(
    names: Names, tmp_path: Path
) -> None:
    told = look(aiosmtpd_relay(Inbox()), tmp_path, a_world(names, offline=True))
    assert levels(told) == {"connect": "ok", "tls": "ok", "login": "ok"}


def test_a_relay_that_says_nothing_is_given_up_within_the_deadline(
    names: Names, tmp_path: Path
) -> None:
    script = Script(replies={"HELLO": ["hang"]})
    (told,) = look(scripted_relay(script), tmp_path, a_world(names, deadline_s=0.2))
    assert (told.name, told.level) == ("connect", Level.FAIL)
    assert told.mend == "check smtp.host, smtp.port and smtp.security"


def test_what_the_relay_says_back_shows_no_password_and_steers_no_terminal(
    names: Names, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    script = Script(
        extensions=("AUTH PLAIN", "STARTTLS"),
        replies={"AUTH": ["535 5.7.8 hunter22 is wrong \x1b]0;owned\x07"]},
    )
    told: list[Finding] = []

    async def scenario() -> None:
        async with scripted_relay(script, tls=server_context(*certificate)) as port:
            relay = settings(
                port,
                security=Security.STARTTLS,
                ca_file=str(certificate[0]),
                username="me",
                password="hunter22",
            )
            checkup = a_checkup(tmp_path, relay=relay, secrets=("hunter22",))
            told.extend(await asyncio.to_thread(found, checkup, a_world(names), Area.SMTP))

    run(scenario)
    login = told[-1]
    assert (login.name, login.level) == ("login", Level.FAIL)
    assert "535" in login.text
    assert "hunter22" not in repr(told)
    assert login.text.isprintable()


@pytest.mark.parametrize(("deaf", "level"), [(False, "fail"), (True, "unknown")])
def test_a_relay_elsewhere_that_cannot_be_reached_is_no_fault_of_its_own_without_network(
    tmp_path: Path, deaf: bool, level: str
) -> None:
    with name_server(GOOD) as served:
        served.deaf = deaf
        checkup = a_checkup(tmp_path, relay=settings(9, host="192.0.2.9"))
        (told,) = found(checkup, a_world(served), Area.SMTP)
    assert told.level == level, told

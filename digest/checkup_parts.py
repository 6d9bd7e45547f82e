"""The parts of the check-up, made from the settings: what the doctor is told, and whom it asks."""

import ctypes
import socket
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache, partial

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError

from digest import parts
from digest.app import App
from digest.domain.checkup import Area, Finding, cleaned, fail, unknown
from digest.services.doctor import (
    Checkup,
    ConfigFacts,
    Dkim,
    Hooks,
    Pages,
    Sender,
    StoreFacts,
    World,
)
from digest.services.doctor.dns import Dns
from digest.services.doctor.web import Web
from digest.settings import Loaded
from digest.sources.destinations import Allowed
from digest.sources.http import HttpClient
from digest.store.database import open_engine
from digest.web.webhooks.sendgrid import public_key

_TIME_ERROR = 5  # adjtimex(2): the clock is not kept by a server of time
_TIMEX_MOST = 1024  # octets; struct timex has some 200


def checkup(loaded: Loaded, clock: Callable[[], datetime]) -> Checkup:
    """What the doctor needs to know of the settings."""
    settings = loaded.settings
    return Checkup(
        config=ConfigFacts(
            config_file=loaded.config_file,
            secrets_file=loaded.path(settings.secrets_file),
            warnings=loaded.warnings,
            has_keys=bool(settings.secret_keys),
            has_pepper=bool(settings.pepper),
        ),
        store=_store(loaded),
        sender=Sender(address=settings.sender.address, bounces=settings.bounces.address),
        relay=parts.relay_settings(loaded),
        dkim=_dkim(loaded),
        pages=Pages(
            url=settings.site.url,
            host=settings.web.host,
            port=settings.web.port,
            trusts_proxies=bool(settings.web.trusted_proxies),
        ),
        hooks=_hooks(loaded),
        sources=tuple(one.spec for one in App(loaded, clock, leaves_traces=False).sources),
        secrets=tuple(filter(None, _secrets(loaded))),
    )


def world(
    contact: str,
    clock: Callable[[], datetime],
    *,
    offline: bool,
    deadline_s: float,
    allow_private: Sequence[str] = (),
) -> World:
    """The world as it is; no question waits longer than the deadline."""
    allowed = Allowed.of(allow_private)
    return World(
        dns=Dns(None, deadline_s * 0.9),  # so that the question ends before its check does
        web=Web(deadline_s * 0.9),
        http=HttpClient(contact, deadline_s=deadline_s, most_tries=1, allowed=allowed),
        clock=clock,
        synchronised=synchronised,
        host_name=socket.getfqdn,
        offline=offline,
        deadline_s=deadline_s * 0.9,
    )


def without_config(problem: str, areas: Sequence[Area]) -> Iterator[Finding]:
    """What can be said where the config does not load: that, and that nothing else is known."""
    for area in areas or list(Area):
        if area is Area.CONFIG:
            mend = "correct that; config.example.toml has every key"
            yield cleaned(fail(area, "file", problem, mend), ())
        else:
            yield unknown(area, "all", "not asked: the config does not load", "mend the config")


def synchronised() -> bool | None:
    """Whether the kernel's clock is kept by a server of time; None where it does not say."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "adjtimex"):
        return None
    # all zero, so that it only asks (modes = 0)
    state: int = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_MOST))
    return None if state < 0 else state != _TIME_ERROR


def _store(loaded: Loaded) -> StoreFacts:
    url = loaded.store_url
    try:
        parsed = make_url(url)
    except ArgumentError:  # told when it is opened, without the password that may stand in it
        return StoreFacts(name="store.url", path=None, is_shared=False, engine=_engine(url))
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, ":memory:")
    return StoreFacts(
        name=parsed.render_as_string(hide_password=True),
        path=loaded.path(parsed.database or "") if is_file else None,
        is_shared=parsed.get_backend_name() == "postgresql",
        engine=_engine(url),
    )


def _engine(url: str) -> Callable[[], Engine]:
    return cache(partial(open_engine, url))


def _dkim(loaded: Loaded) -> Dkim:
    dkim = loaded.settings.dkim
    return Dkim(
        domain=dkim.domain,
        selector=dkim.selector,
        key_file=loaded.file(dkim.key_file),
        ed25519_selector=dkim.ed25519_selector,
        ed25519_key_file=loaded.file(dkim.ed25519_key_file),
    )


def _hooks(loaded: Loaded) -> Hooks:
    hooks = loaded.settings.webhooks
    return Hooks(
        ses_topics=hooks.ses_topics,
        sendgrid_key=hooks.sendgrid_public_key,
        postmark_username=hooks.postmark_username,
        postmark_password=hooks.postmark_password,
        read_sendgrid_key=public_key,
    )


def _secrets(loaded: Loaded) -> Iterator[str]:
    """What must not be printed, in the forms in which somebody might say it back to us."""
    settings = loaded.settings
    smtp = settings.smtp
    yield from settings.secret_keys
    yield settings.pepper
    yield smtp.password
    if smtp.password:
        yield f"\0{smtp.username}\0{smtp.password}"  # what AUTH PLAIN says, as base64
    yield settings.bounces.imap_password
    yield settings.webhooks.postmark_password
    try:
        yield str(make_url(settings.store.url).password or "")
    except ArgumentError:
        yield settings.store.url

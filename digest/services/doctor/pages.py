"""The pages: whether one-click opt-out works from outside, and how they are served."""

import ipaddress
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

from digest.domain.checkup import Area, Finding, Level, fail, judged, ok, unknown, warn
from digest.domain.relay import LOOPBACK
from digest.services.doctor.certificates import certificate_finding
from digest.services.doctor.dns import NoSuchName
from digest.services.doctor.model import Check, Checkup, Pages, World
from digest.services.doctor.web import Answer, NoAnswer

ALIVE = b"ok\n"
_RENEW = "renew the certificate of the proxy, and look why that did not happen by itself"


def checks(checkup: Checkup, world: World) -> list[Check]:
    """The checks of the public address, and of the settings behind it."""
    pages = checkup.pages
    return [
        Check(area=Area.SITE, name="url", run=partial(_site, pages, world)),
        Check(area=Area.WEB, name="proxy", run=partial(_served, pages)),
    ]


def _site(pages: Pages, world: World) -> Iterator[Finding]:
    if not pages.url:
        text = "site.url is not set: mails offer unsubscribing by reply, not by one click"
        mend = "serve the pages by https and set site.url; see docs/web.md"
        yield warn(Area.SITE, "url", text, mend)
        return
    host = urlsplit(pages.url).hostname or ""
    near = host in LOOPBACK or host.startswith("127.")
    yield _scheme(pages.url)
    if not near:
        world.require_network()
        yield _resolved(host, world)
    try:
        answer = world.web.ask(f"{pages.url}/healthz")
    except NoAnswer as exc:
        yield _silent(pages.url, exc)
        return
    yield _alive(pages.url, answer)
    if answer.certificate_ends:
        yield certificate_finding(Area.SITE, answer.certificate_ends, world.clock(), _RENEW)
    yield from _figures(pages.url, world)


def _scheme(url: str) -> Finding:
    return judged(
        Area.SITE,
        "url",
        Level.OK if url.startswith("https://") else Level.FAIL,
        url if url.startswith("https://") else f"{url}: one-click opt-out needs https (RFC 8058)",
        "put a proxy that speaks https before the pages and set site.url to its address",
    )


def _resolved(host: str, world: World) -> Finding:
    try:
        found = world.dns.addresses(host)
    except NoSuchName:
        found = []
    if not found:
        mend = f"publish an A or AAAA record for {host}"
        return fail(Area.SITE, "resolves", f"DNS has no address of {host}", mend)
    shown = ", ".join(map(str, found[:4]))
    if not any(world.is_public(address) for address in found):
        mend = f"publish a public address for {host}, if readers elsewhere shall open the links"
        return warn(Area.SITE, "resolves", f"{host} is {shown}, of this network alone", mend)
    return ok(Area.SITE, "resolves", f"{host} is {shown}")


def _silent(url: str, exc: NoAnswer) -> Finding:
    if exc.bad_certificate:
        return fail(Area.SITE, "certificate", f"{url}: {exc}", _RENEW)
    mend = "start 'digest web' and the proxy; try it from another network too: some let no host "
    mend += "reach itself by its public name"
    return fail(Area.SITE, "answers", f"{url}/healthz: {exc}", mend)


def _alive(url: str, answer: Answer) -> Finding:
    name, place = "answers", f"{url}/healthz"
    if answer.status == 200 and answer.body == ALIVE:
        return ok(Area.SITE, name, f"{place} is our own")
    if answer.location:
        text = f"{place} leads on to {answer.location}: one-click opt-out follows no redirect"
        return fail(Area.SITE, name, text, "set site.url to where the pages really are")
    if answer.status in (502, 503, 504):
        text = f"{place}: HTTP {answer.status}: the proxy reaches no pages"
        mend = "start 'digest web' or 'digest run', and point the proxy at web.host and web.port"
        return fail(Area.SITE, name, text, mend)
    text = f"{place}: HTTP {answer.status}, and not our answer"
    return fail(Area.SITE, name, text, "let the proxy pass every path of that host to the pages")


def _figures(url: str, world: World) -> Iterator[Finding]:
    try:
        answer = world.web.ask(f"{url}/metrics")
    except NoAnswer:
        yield unknown(Area.SITE, "metrics", f"{url}/metrics gave no answer")
        return
    is_open = answer.status == 200 and b"# TYPE " in answer.body
    if is_open:
        mend = "close /metrics in the proxy, or set web.metrics_port"
        yield warn(Area.SITE, "metrics", f"{url}/metrics shows everybody the figures", mend)


def _served(pages: Pages) -> Iterator[Finding]:
    if not pages.port:
        yield ok(Area.WEB, "proxy", "'digest run' serves no pages (web.port is 0)")
        return
    secure = pages.url.startswith("https://")
    near = pages.host in LOOPBACK or pages.host.startswith("127.")
    if secure and near and not pages.trusts_proxies:
        text = "all readers seem to come from the proxy: limits by network do not hold"
        mend = 'set web.trusted_proxies to the proxy, such as ["127.0.0.1/32"]'
        yield warn(Area.WEB, "proxy", text, mend)
    elif secure and not near and not _is_private(pages.host):
        text = f"the pages also stand open without https at {pages.host}:{pages.port}"
        yield warn(Area.WEB, "proxy", text, "set web.host to 127.0.0.1, or shut that port")
    else:
        yield ok(Area.WEB, "proxy", f"served at {pages.host}:{pages.port}")


def _is_private(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_private and not address.is_unspecified

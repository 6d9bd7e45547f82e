"""What DNS says of the sender's domain: who may send in its name (SPF), what else is to be refused
(DMARC), and where answers go (MX).
"""

from collections.abc import Iterator
from functools import partial

from digest.domain.checkup import Area, Finding, fail, ok, unknown, warn
from digest.errors import DigestError
from digest.mail.keys import signing_domain
from digest.services.doctor.addresses import sending_addresses
from digest.services.doctor.dns import Dns, NoReply, NoSuchName
from digest.services.doctor.model import Check, Checkup, NotAsked, World
from digest.services.doctor.spf import LOOKUPS_MOST, NoSpf, Record, Spf, SpfError
from digest.services.doctor.tags import tags

PARENTS_MOST = 8  # of the tree walk (draft-ietf-dmarc-dmarcbis §4.10)
_FREE = "; if it sends from others, all is well"


def checks(checkup: Checkup, world: World) -> list[Check]:
    """The checks of the domain's records."""
    return [
        Check(area=Area.SPF, name="record", run=partial(_spf, checkup, world)),
        Check(area=Area.DMARC, name="record", run=partial(_dmarc, checkup, world)),
        Check(area=Area.MX, name="sender", run=partial(_mx, checkup, world)),
    ]


def _require(domain: str, world: World) -> None:
    if not domain:
        raise NotAsked("sender.address is not set", "set sender.address first")
    world.require_network()


def _spf(checkup: Checkup, world: World) -> Iterator[Finding]:
    """SPF is about the envelope's domain, which must be aligned with From to count for DMARC."""
    domain = checkup.sender.return_domain
    _require(domain, world)
    spf = Spf(world.dns)
    try:
        record = spf.record(domain)
        yield _all(domain, record)
        yield from _allowed(domain, spf, checkup, world)
    except NoSpf as exc:
        mend = f'publish a TXT record at {domain}: "v=spf1 mx include:YOUR-RELAY ~all"'
        yield fail(Area.SPF, "record", str(exc), mend)
    except SpfError as exc:
        yield fail(Area.SPF, "record", f"{domain}: {exc}", f"correct the TXT record of {domain}")


def _all(domain: str, record: Record) -> Finding:
    edit = f"end the TXT record of {domain} with ~all or -all"
    if record.otherwise == "pass":
        text = f"{domain} lets everybody send in its name (+all)"
        return fail(Area.SPF, "record", text, edit)
    if record.otherwise in ("", "neutral") and not record.redirect:
        return warn(Area.SPF, "record", f"{domain} refuses nobody: {record.text}", edit)
    return ok(Area.SPF, "record", f"{domain}: {record.text}")


def _allowed(domain: str, spf: Spf, checkup: Checkup, world: World) -> Iterator[Finding]:
    """Whether the relay's own addresses may send; others that it sends from are not known here."""
    addresses = sending_addresses(checkup, world)
    found = spf.verdicts(domain, addresses)
    cost = f"{spf.lookups} of {LOOKUPS_MOST} lookups"
    refused = [str(address) for address, result in found.items() if result != "pass"]
    if not addresses:
        text = f"which addresses mail leaves from is not known here ({cost})"
        yield unknown(Area.SPF, "relay", text, f"see that {domain} names them")
    elif spf.has_macros and refused:
        yield unknown(Area.SPF, "relay", f"depends on each mail ({cost})")
    elif refused:
        kinds = " ".join(f"ip{6 if ':' in one else 4}:{one}" for one in refused[:2])
        mend = f"add {kinds} to the TXT record of {domain}{_FREE}"
        yield warn(Area.SPF, "relay", f"does not allow {', '.join(refused[:4])}", mend)
    else:
        yield ok(Area.SPF, "relay", f"allows {', '.join(map(str, addresses[:4]))} ({cost})")


def _dmarc(checkup: Checkup, world: World) -> Iterator[Finding]:
    domain = checkup.sender.domain
    _require(domain, world)
    at, records = _policy(domain, world.dns)
    if not records:
        mend = f'publish a TXT record at _dmarc.{domain}: "v=DMARC1; p=none"'
        text = f"{domain} has no DMARC record; large receivers want one of bulk senders"
        yield warn(Area.DMARC, "record", text, mend)
        return
    if len(records) > 1:
        text = f"{len(records)} DMARC records stand at _dmarc.{at}, so that none counts"
        yield fail(Area.DMARC, "record", text, "keep one of them")
        return
    found = tags(records[0])
    policy = found.get("p", "").lower()
    if policy not in ("none", "quarantine", "reject"):
        text = f"_dmarc.{at} has no policy p=none, p=quarantine or p=reject"
        yield fail(Area.DMARC, "record", text, 'write it as "v=DMARC1; p=none"')
        return
    yield ok(Area.DMARC, "record", f"_dmarc.{at}: {records[0]}")
    yield from _alignment(found, checkup)


def _policy(domain: str, dns: Dns) -> tuple[str, list[str]]:
    """The DMARC records that hold for a domain: its own, or of the nearest above it."""
    labels = domain.split(".")
    for above in range(min(len(labels), PARENTS_MOST)):
        here = ".".join(labels[above:])
        try:
            found = dns.texts(f"_dmarc.{here}")
        except NoSuchName:
            continue
        records = [text for text in found if tags(text).get("v") == "DMARC1"]
        if records:
            return here, records
    return domain, []


def _alignment(policy: dict[str, str], checkup: Checkup) -> Iterator[Finding]:
    """With `s` the very domain of From must sign and return, not one above or below it."""
    own, returns = checkup.sender.domain, checkup.sender.return_domain
    if policy.get("adkim", "r").lower() == "s" and checkup.dkim.key_file:
        signs = _signs(checkup)
        if signs != own:
            text = f"adkim=s, but {signs} signs for {own}: no signature counts"
            yield fail(Area.DMARC, "dkim", text, f"leave dkim.domain empty, or set it to {own}")
    if policy.get("aspf", "r").lower() == "s" and returns != own:
        text = f"aspf=s, but mail returns to {returns}: SPF does not count for {own}"
        yield warn(Area.DMARC, "spf", text, f"set bounces.address to one of {own}")


def _signs(checkup: Checkup) -> str:
    try:
        return signing_domain(checkup.dkim.domain, checkup.sender.address).lower()
    except DigestError:
        return checkup.sender.domain  # what is wrong there is told of the keys


def _mx(checkup: Checkup, world: World) -> Iterator[Finding]:
    domains = {"sender": checkup.sender.domain, "returns": checkup.sender.return_domain}
    _require(domains["sender"], world)
    for name, domain in domains.items():
        if name == "sender" or domain != domains["sender"]:
            yield _takes_mail(name, domain, world.dns)


def _takes_mail(name: str, domain: str, dns: Dns) -> Finding:
    publish = f"publish an MX record for {domain}: answers and bounces come there"
    try:
        hosts = dns.mail_hosts(domain)
        if hosts == [""]:
            return fail(Area.MX, name, f"{domain} says that it takes no mail (null MX)", publish)
        if not hosts and dns.addresses(domain):
            text = f"{domain} has no MX, so mail for it goes to its own address"
            return warn(Area.MX, name, text, publish)
    except NoSuchName:
        return fail(
            Area.MX, name, f"DNS knows no {domain}: many receivers refuse such mail", publish
        )
    if not hosts:
        return fail(Area.MX, name, f"{domain} takes no mail: no MX and no address", publish)
    lost = [host for host in hosts if not _has_address(host, dns)]
    if lost:
        mend = f"publish an address for {lost[0]}, or take it out of the MX of {domain}"
        return fail(Area.MX, name, f"{domain} names {lost[0]}, which has no address", mend)
    return ok(Area.MX, name, f"{domain}: {', '.join(hosts[:3])}")


def _has_address(host: str, dns: Dns) -> bool:
    try:
        return bool(dns.addresses(host))
    except NoSuchName:
        return False
    except NoReply:
        return True

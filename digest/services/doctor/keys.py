"""DKIM: the keys on disk, and the records that tell the world of them (RFC 6376 §3.6.1)."""

from collections.abc import Iterator, Sequence
from functools import partial

from digest.domain.checkup import Area, Finding, fail, ok, warn
from digest.mail.dkim import SigningKey
from digest.mail.keys import DnsRecord, dns_record, load_keys, record_name, signing_domain
from digest.services.doctor.dns import NoSuchName
from digest.services.doctor.model import Check, Checkup, World
from digest.services.doctor.tags import tags

PUBLISH = "publish what 'digest dkim record' prints"


def checks(checkup: Checkup, world: World) -> list[Check]:
    """A check of the keys and one of their records."""
    return [Check(area=Area.DKIM, name="keys", run=partial(_keys, checkup, world))]


def _keys(checkup: Checkup, world: World) -> Iterator[Finding]:
    """Raises ConfigError for keys that cannot be used, and NotAsked before DNS."""
    dkim = checkup.dkim
    if dkim.key_file is None and dkim.ed25519_key_file is None:
        text = "mails are not signed here; large receivers want a signature"
        mend = "run 'digest dkim keygen', unless the relay signs with your domain"
        yield warn(Area.DKIM, "keys", text, mend)
        return
    domain = signing_domain(dkim.domain, checkup.sender.address)
    keys = load_keys(
        *(domain, dkim.selector, dkim.key_file, dkim.ed25519_selector, dkim.ed25519_key_file)
    )
    for key in keys:
        yield ok(Area.DKIM, key.selector, "the key can be read, by its owner alone")
    world.require_network()
    for key in keys:
        yield _record(domain, key, world)


def _record(domain: str, key: SigningKey, world: World) -> Finding:
    wanted = dns_record(record_name(domain, key.selector), key.private)
    try:
        found = world.dns.texts(wanted.name)
    except NoSuchName:
        found = []
    if not found:
        text = f"DNS has no TXT record {wanted.name}: no signature counts"
        return fail(Area.DKIM, key.selector, text, PUBLISH)
    if len(found) > 1:
        text = f"{len(found)} TXT records stand at {wanted.name}: receivers take any of them"
        return fail(Area.DKIM, key.selector, text, "keep one: what 'digest dkim record' prints")
    return _compared(key.selector, wanted, found)


def _compared(selector: str, wanted: DnsRecord, found: Sequence[str]) -> Finding:
    ours, theirs = tags(wanted.value), tags(found[0])
    if theirs.get("v", "DKIM1") != "DKIM1" or "p" not in theirs:
        text = f"what stands at {wanted.name} is no DKIM record"
        return fail(Area.DKIM, selector, text, PUBLISH)
    if not theirs["p"]:
        text = f"the record {wanted.name} is revoked (empty p=)"
        mend = "make a key under another selector: 'digest dkim keygen --selector NEW'"
        return fail(Area.DKIM, selector, text, mend)
    if theirs.get("k", "rsa") != ours["k"] or theirs["p"] != ours["p"]:
        text = f"the record {wanted.name} is of another key"
        return fail(Area.DKIM, selector, text, PUBLISH)
    if "sha256" not in theirs.get("h", "sha256").split(":"):
        return fail(Area.DKIM, selector, f"the record {wanted.name} forbids sha256", PUBLISH)
    if "y" in theirs.get("t", "").split(":"):
        text = f"the record {wanted.name} says t=y: only a test, so the signature counts little"
        return warn(Area.DKIM, selector, text, PUBLISH)
    return ok(Area.DKIM, selector, f"the record {wanted.name} is of this key")

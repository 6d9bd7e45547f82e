"""PTR: whether the host that sends has a name by its address, and that address by its name."""

from collections.abc import Iterator
from functools import partial

from digest.domain.checkup import Area, Finding, fail, ok, unknown, warn
from digest.services.doctor.addresses import sending_addresses, sending_host
from digest.services.doctor.dns import Dns, Ip, NoSuchName
from digest.services.doctor.model import Check, Checkup, World


def checks(checkup: Checkup, world: World) -> list[Check]:
    """The PTR check."""
    return [Check(area=Area.PTR, name="relay", run=partial(_ptr, checkup, world))]


def _ptr(checkup: Checkup, world: World) -> Iterator[Finding]:
    world.require_network()
    host = sending_host(checkup, world)
    if not host:
        text = "this host, which sends, has no full name"
        yield warn(Area.PTR, "relay", text, "set smtp.local_hostname to its public name")
        return
    addresses = sending_addresses(checkup, world)
    if not addresses:
        text = f"DNS has no public address of {host}, which mail leaves by"
        yield unknown(Area.PTR, "relay", text, "look at the address that mail leaves from")
    for address in addresses:
        yield _named(address, checkup.relay_is_near, world.dns)


def _named(address: Ip, is_ours: bool, dns: Dns) -> Finding:
    """Receivers want a name that leads back to the address (RFC 1912 §2.1)."""
    tell = fail if is_ours else warn
    whose = "this host" if is_ours else "the relay"
    mend = f"have the provider of {whose} set the PTR record of {address} to its host name"
    try:
        names = dns.names(address)
    except NoSuchName:
        names = []
    if not names:
        return tell(Area.PTR, "relay", f"{address} of {whose} has no PTR record", mend)
    for name in names:
        if _leads_back(name, address, dns):
            return ok(Area.PTR, "relay", f"{address} is {name}, and the other way round")
    text = f"{address} of {whose} says it is {names[0]}, which is another address"
    return tell(Area.PTR, "relay", text, mend)


def _leads_back(name: str, address: Ip, dns: Dns) -> bool:
    try:
        return address in dns.addresses(name)
    except NoSuchName:
        return False

"""Which hosts may be asked on a stranger's word: those of the open internet, and no others.

An address from outside, such as that of a redirect, could else make us ask what only we can reach.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from digest.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What is no unicast of the open internet, by IANA's special-purpose registries (RFC 6890).
_INSIDE = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # of a provider's NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; clouds tell their secrets at 169.254.169.254
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
_OUTSIDE_6 = ipaddress.ip_network("2000::/3")  # the global unicast given out so far
_INSIDE_6 = tuple(
    ipaddress.ip_network(net)
    for net in (
        "2001::/23",  # protocols: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "3fff::/20",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_6TO4 = ipaddress.ip_network("2002::/16")  # RFC 3056


@dataclass(frozen=True, slots=True)
class Allowed:
    """Hosts and networks of the operator's own that may be asked all the same."""

    names: frozenset[str] = frozenset()
    networks: tuple[_Network, ...] = ()

    @classmethod
    def of(cls, listed: Iterable[str]) -> Self:
        """From names, addresses and networks such as 10.0.0.0/8. Raises InvalidInput."""
        names, networks = set[str](), list[_Network]()
        for one in listed:
            try:
                networks.append(ipaddress.ip_network(one.strip()))
            except ValueError as exc:
                name = one.strip().lower().rstrip(".")
                if not name or any(c in name for c in "/:@ ") or name[-1].isdigit():
                    raise InvalidInput(
                        f"{one!r} is no host name, address or network: write such as 'feeds.lan', "
                        "'10.0.0.7' or '10.0.0.0/8'"
                    ) from exc
                names.add(name)
        return cls(frozenset(names), tuple(networks))

    def admits(self, host: str, address: Address) -> bool:
        """Whether this host may be asked at this address."""
        if is_outside(address) or host.lower().rstrip(".") in self.names:
            return True
        return any(address in net for net in self.networks if net.version == address.version)


def is_outside(address: Address) -> bool:
    """Whether an address is of the open internet; one that holds an IPv4 address is where that
    is.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in net for net in _INSIDE)
    if inner := _inner(address):
        return is_outside(inner)
    if getattr(address, "scope_id", None):
        return False
    return address in _OUTSIDE_6 and not any(address in net for net in _INSIDE_6)


def literal(host: str) -> Address | None:
    """The address that a host is, written out; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_of_this_machine(host: str) -> bool:
    """Whether a name can only be this machine's (RFC 6761 §6.3)."""
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def why_inside(host: str, address: object) -> str:
    """Why a host was not asked, and how to allow it."""
    leads = "is" if host == str(address) else f"leads to {address},"
    return (
        f"{host} {leads} an address within your own network: nothing was asked there; "
        "if that is meant, add it to allow_private in [http]"
    )


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour if address in _6TO4 else None

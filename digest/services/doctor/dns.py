"""What DNS says, asked of the host's own name servers or of those that are given."""

import ipaddress
from functools import cached_property

import dns.exception
import dns.rdatatype
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from digest.errors import DigestError

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class NoSuchName(DigestError):
    """DNS says that the name does not exist (NXDOMAIN)."""


class NoReply(DigestError):
    """No name server gave an answer, so that nothing is known."""


class Dns:
    """Asks DNS; safe from many threads. `resolver` None: the one of this host.

    Every question raises NoSuchName and NoReply; a name without such records gives none.
    """

    def __init__(self, resolver: dns.resolver.Resolver | None, lifetime_s: float) -> None:
        self._given = resolver
        self._lifetime_s = lifetime_s

    @cached_property
    def is_up(self) -> bool:
        """Whether a name server answers for the world, which is how we know of a network; asked
        once. A server that knows no root of DNS answers for its own walls alone.
        """
        try:
            return bool(self._ask(".", dns.rdatatype.NS))
        except (NoSuchName, NoReply):
            return False

    def texts(self, name: str) -> list[str]:
        """Its TXT records, the strings of each joined."""
        found = self._ask(name, dns.rdatatype.TXT)
        return [
            b"".join(one.strings).decode("utf-8", "replace")
            for one in found
            if isinstance(one, TXT)
        ]

    def addresses(self, name: str) -> list[Ip]:
        """Its IPv4 and IPv6 addresses; an address written out is its own."""
        try:
            return [ipaddress.ip_address(name)]
        except ValueError:
            pass
        both = (dns.rdatatype.A, dns.rdatatype.AAAA)
        found = [one for kind in both for one in self._ask(name, kind)]
        return [ipaddress.ip_address(one.address) for one in found if isinstance(one, A | AAAA)]

    def mail_hosts(self, name: str) -> list[str]:
        """Its MX hosts, the best first; an empty one is the null MX (RFC 7505)."""
        found = [one for one in self._ask(name, dns.rdatatype.MX) if isinstance(one, MX)]
        ordered = sorted(found, key=lambda one: one.preference)
        return [one.exchange.to_text(omit_final_dot=True).rstrip(".") for one in ordered]

    def names(self, address: Ip) -> list[str]:
        """The names that the address says it has (PTR)."""
        reverse = dns.reversename.from_address(str(address)).to_text()
        found = [one for one in self._ask(reverse, dns.rdatatype.PTR) if isinstance(one, PTR)]
        return [one.target.to_text(omit_final_dot=True) for one in found]

    @cached_property
    def _resolver(self) -> dns.resolver.Resolver:
        return self._given or dns.resolver.Resolver()

    def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> list[object]:
        try:
            answer = self._resolver.resolve(
                name, kind, lifetime=self._lifetime_s, raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN as exc:
            raise NoSuchName(f"DNS knows no {name}") from exc
        except (dns.exception.DNSException, OSError, ValueError) as exc:
            raise NoReply(f"DNS gave no answer about {name} ({type(exc).__name__})") from exc
        return list(answer.rrset or ())

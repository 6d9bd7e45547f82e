"""SPF as receivers evaluate it (RFC 7208), for addresses that are known, and what it costs them."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from digest.errors import DigestError
from digest.services.doctor.dns import Dns, Ip, NoSuchName

LOOKUPS_MOST = 10  # RFC 7208 §4.6.4
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE)
_CIDR = re.compile(r"(?:/(\d{1,3}))?(?://(\d{1,3}))?")
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
Verdicts = dict[Ip, str]


class SpfError(DigestError):
    """The record gives a permanent error (permerror): receivers count it as none or refuse."""


class NoSpf(DigestError):
    """The domain has no SPF record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A mechanism: its result where it matches, its name, its domain or network, its lengths."""

    qualifier: str
    name: str
    value: str
    lengths: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A record taken apart."""

    text: str
    terms: tuple[Term, ...]
    redirect: str

    @property
    def otherwise(self) -> str:
        """The result for who is not named: of `all`; empty where there is none."""
        found = [term.qualifier for term in self.terms if term.name == "all"]
        return _RESULTS[found[0]] if found else ""


class Spf:
    """Evaluates one domain's record; every term is followed, so that lookups are counted whole.

    `has_macros`: some term depends on each mail, and was taken not to match.
    """

    def __init__(self, dns: Dns) -> None:
        self._dns = dns
        self.lookups = 0
        self.has_macros = False

    def record(self, domain: str) -> Record:
        """The record of a domain. Raises NoSpf, SpfError, NoReply."""
        try:
            found = [text for text in self._dns.texts(domain) if _is_spf(text)]
        except NoSuchName:
            found = []
        if not found:
            raise NoSpf(f"{domain} has no SPF record")
        if len(found) > 1:
            raise SpfError(f"{domain} has {len(found)} SPF records, so that none counts")
        return _parsed(found[0])

    def verdicts(self, domain: str, addresses: Sequence[Ip]) -> Verdicts:
        """`pass`, `fail`, `softfail` or `neutral` for each address."""
        record = self.record(domain)
        found: Verdicts = {}
        ended = False
        for term in record.terms:
            matched = self._matched(term, domain, addresses)
            if not ended:
                for address in matched:
                    found.setdefault(address, _RESULTS[term.qualifier])
            ended = ended or term.name == "all"
        if record.redirect and not ended:
            elsewhere = self._elsewhere(record.redirect, addresses)
            found = elsewhere | found
        return {address: found.get(address, "neutral") for address in addresses}

    def _matched(self, term: Term, domain: str, addresses: Sequence[Ip]) -> list[Ip]:
        match term.name:
            case "all":
                return list(addresses)
            case "ip4" | "ip6":
                network = _network(term.value + term.lengths)
                return [one for one in addresses if one in network]
            case "include":
                inner = self._elsewhere(term.value, addresses)
                return [one for one, result in inner.items() if result == "pass"]
        self._count()
        if term.name in ("ptr", "exists"):  # by the name of who connects, or by each mail's text
            self.has_macros = True
            return []
        name = term.value or domain
        if "%" in name:
            self.has_macros = True
            return []
        networks = list(self._networks(term, name))
        return [one for one in addresses if any(one in network for network in networks)]

    def _elsewhere(self, domain: str, addresses: Sequence[Ip]) -> Verdicts:
        self._count()
        if "%" in domain:
            self.has_macros = True
            return {}
        try:
            return self.verdicts(domain, addresses)
        except NoSpf as exc:  # RFC 7208 §5.2
            raise SpfError(f"it includes {domain}, which has no SPF record") from exc

    def _networks(
        self, term: Term, name: str
    ) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        four, six = _lengths(term.lengths)
        try:
            hosts = self._dns.mail_hosts(name) if term.name == "mx" else [name]
            for host in filter(None, hosts):
                for address in self._dns.addresses(host):
                    length = four if address.version == 4 else six
                    yield ipaddress.ip_network(f"{address}/{length}", strict=False)
        except NoSuchName:
            return

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > LOOKUPS_MOST:
            raise SpfError(
                f"it needs more than {LOOKUPS_MOST} DNS lookups, so that it counts as none"
            )


def _is_spf(text: str) -> bool:
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def _parsed(text: str) -> Record:
    terms: list[Term] = []
    redirect = ""
    for word in text.split()[1:]:
        if term := _term(word):
            terms.append(term)
        elif modifier := _MODIFIER.fullmatch(word):
            redirect = modifier[2] if modifier[1].lower() == "redirect" else redirect
        else:
            raise SpfError(f"its term {word[:60]!r} cannot be read")
    return Record(text=text, terms=tuple(terms), redirect=redirect)


def _term(word: str) -> Term | None:
    head, colon, rest = word.partition(":")
    name, slash, lengths = head.partition("/")
    qualifier = name[0] if name[:1] in _RESULTS else ""
    name = name[len(qualifier) :].lower()
    if "=" in head or name not in _NAMES:
        return None
    value, lengths = _split(rest) if colon else ("", slash + lengths)
    if bool(value) != (name in _WITH_VALUE) and name not in _EITHER:
        return None
    term = Term(qualifier=qualifier or "+", name=name, value=value, lengths=lengths)
    if name in ("ip4", "ip6"):
        _network(value + lengths)
    else:
        _lengths(lengths)
    return term


_WITH_VALUE = ("include", "ip4", "ip6", "exists")
_EITHER = ("a", "mx", "ptr")
_NAMES = ("all", *_WITH_VALUE, *_EITHER)


def _split(value: str) -> tuple[str, str]:
    """A domain or address, and the lengths behind it."""
    bare, slash, lengths = value.partition("/")
    return bare, slash + lengths


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as exc:
        raise SpfError(f"{text[:60]!r} in it is no network") from exc


def _lengths(text: str) -> tuple[int, int]:
    """The lengths of IPv4 and IPv6 prefixes (RFC 7208 §5.6)."""
    found = _CIDR.fullmatch(text)
    four, six = (int(found[1] or 32), int(found[2] or 128)) if found else (33, 129)
    if four > 32 or six > 128:
        raise SpfError(f"{text[:20]!r} in it is no length of a network")
    return four, six

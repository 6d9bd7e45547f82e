"""Addresses in fields and in free text."""

import re
from collections.abc import Iterable

_CONTROL = r"\x00-\x1f\x7f-\x9f"
ADDRESS = re.compile(
    rf"(?<![\w.@%+-])((?:\"[^\"@{_CONTROL}]{{1,62}}\"|[^\s<>()\[\],;:\"'`@\\/|={_CONTROL}]"
    rf"[^\s<>()\[\],;:\"@\\|{_CONTROL}]{{0,63}})@[^\W_](?:[\w.-]{{0,252}}\w)?)"
)
_ANGLED = re.compile(rf"<\s*([^<>\s@{_CONTROL}]{{1,64}}@[^<>\s@{_CONTROL}]{{1,253}})\s*>")
_TYPED = re.compile(r"^\s*[\w-]{1,20}\s*;\s*")
_XTEXT = re.compile(r"\+(2B|3D)")  # RFC 3461 §4: what stands for + and = in ORCPT


def addresses_in(text: str, most: int = 50) -> list[str]:
    """Addresses in a text, each once, in their order."""
    found: dict[str, None] = {}
    for match in ADDRESS.finditer(text):
        found.setdefault(clean(match[1]))
        if len(found) >= most:
            break
    return list(found)


def recipient_of(value: str) -> str:
    """The address of an RFC 3464 recipient field (`rfc822; a@example.org`), or nothing."""
    bare = _TYPED.sub("", value[:1_000]).strip()
    angled = _ANGLED.search(bare)
    if angled:
        return _of_xtext(clean(angled[1]))
    if bare.count("@") == 1 and not re.search(r"[\s<>(),;]", bare):
        return _of_xtext(clean(bare))
    found = addresses_in(bare, most=1)
    return _of_xtext(found[0]) if found else ""


def of_field(values: Iterable[str]) -> list[str]:
    """Addresses of address fields, names and comments left out, each once."""
    found: dict[str, None] = {}
    for value in values:
        angled = _ANGLED.findall(value[:10_000])
        for address in angled or addresses_in(value[:10_000]):
            found.setdefault(clean(address))
    return list(found)[:50]


def clean(address: str) -> str:
    """The address without the punctuation that a sentence puts around it."""
    return address.strip().strip("<>").rstrip(".'`*").strip("\"'`") if address else ""


def unique(addresses: Iterable[str]) -> list[str]:
    """Each address once, whatever its case, as it was first written."""
    found: dict[str, str] = {}
    for address in addresses:
        if address:
            found.setdefault(address.casefold(), address)
    return list(found.values())


def _of_xtext(address: str) -> str:
    return _XTEXT.sub(lambda match: {"2B": "+", "3D": "="}[match[1]], address)

"""Traces of an address: what it may look like in a file, and the files that hold any of it."""

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

HASHES = ("md5", "sha1", "sha256", "sha512", "blake2b")


def forms(address: str) -> dict[str, bytes]:
    """The address and its local part as a store, a mail, a log or a URL could hold them, in lower
    case, and its hashes that need no key; each by what it is called.
    """
    local, _, domain = address.partition("@")
    made: dict[str, bytes] = {}
    for what, text in (("address", address), ("local part", local)):
        made |= {f"{what} {how}": form.lower() for how, form in _written(text)}
    made["xtext"] = f"{local}+40{domain}".lower().encode()
    made["quoted-printable"] = f"{local}=40{domain}".lower().encode()
    made["as VERP"] = f"{local}={domain}".lower().encode()
    made["JSON"] = f"{local}\\u0040{domain}".lower().encode()
    made["HTML"] = f"{local}&#64;{domain}".lower().encode()
    for text in {address, address.lower()}:
        made |= dict(_secret(text))
    return made


def _written(text: str) -> Iterator[tuple[str, bytes]]:
    yield "as it is", text.encode()
    yield "UTF-16", text.encode("utf-16-le")
    yield "UTF-16, big end first", text.encode("utf-16-be")
    yield "percent-encoded", quote(text, safe="").encode()
    yield "percent-encoded throughout", "".join(f"%{byte:02x}" for byte in text.encode()).encode()
    yield "hexadecimal", text.encode().hex().encode()
    yield "backwards", text[::-1].encode()


def _secret(text: str) -> Iterator[tuple[str, bytes]]:
    """What is compared with its case: base64 at each of the three offsets, and hashes."""
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + text.encode())
        cut = whole[-(-offset * 8 // 6) + (1 if offset else 0) :].rstrip(b"=")[:-1]
        yield f"base64 of {text} at {offset}", cut
    for name in HASHES:
        made = hashlib.new(name, text.encode())
        yield f"{name} of {text}", made.digest()
        yield f"{name} of {text}, hexadecimal", made.hexdigest().encode()
        yield f"{name} of {text}, base64", base64.b64encode(made.digest()).rstrip(b"=")


def found_in(content: bytes, wanted: Mapping[str, bytes]) -> list[str]:
    """What of it the content holds."""
    folded = content.lower()
    return [what for what, form in wanted.items() if form in content or form in folded]


def found(files: Iterable[Path], words: Iterable[str]) -> list[str]:
    """Which files hold which form of which address; a ZIP file is looked into."""
    wanted = {word: forms(word) for word in words}
    return [
        f"{name}: {what} of {word}"
        for path in files
        for name, content in _contents(path)
        for word, kinds in wanted.items()
        for what in found_in(content, kinds)
    ]


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                yield f"{path.name}/{name}", packed.read(name)
    yield path.name, path.read_bytes()


def below(folder: Path) -> list[Path]:
    """Every file in a folder, whatever it is called."""
    return sorted(path for path in folder.rglob("*") if path.is_file())

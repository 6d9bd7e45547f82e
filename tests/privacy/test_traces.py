"""The search for an address finds it in every form: else finding nothing would prove nothing."""

import base64
import hashlib
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.privacy.traces import found

ADDRESS = "Marmalade.Ocelot42@lab.example"
FOLDED = ADDRESS.lower()
HELD = {
    "as it is": f"550 <{ADDRESS}> unknown".encode(),
    "folded": FOLDED.encode(),
    "upper case": ADDRESS.upper().encode(),
    "local part": b"dear marmalade.OCELOT42,",
    "UTF-16": f"to {FOLDED}".encode("utf-16-le"),
    "percent-encoded": quote(ADDRESS, safe="").encode(),
    "xtext": b"ORCPT=rfc822;marmalade.ocelot42+40lab.example",
    "JSON": rb'{"to": "marmalade.ocelot42\u0040lab.example"}',
    "hexadecimal": ADDRESS.encode().hex().upper().encode(),
    "hash": hashlib.sha256(FOLDED.encode()).digest(),
    "shown hash": hashlib.md5(FOLDED.encode()).hexdigest().encode(),
} | {
    f"base64 at {offset}": base64.b64encode(b"x" * offset + ADDRESS.encode() + b"yz")
    for offset in range(7)
}


@pytest.mark.parametrize("kind", HELD)
def test_address_is_found(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "held"
    path.write_bytes(b"\0\xff before" + HELD[kind] + b"after \xfe")
    assert found([path], [ADDRESS])


def test_address_is_found_in_a_packed_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("rows.jsonl", FOLDED * 9)
    assert any("rows.jsonl" in one for one in found([tmp_path / "a.zip"], [ADDRESS]))


def test_other_addresses_are_not_taken_for_it(tmp_path: Path) -> None:
    path = tmp_path / "held"
    path.write_bytes(b"marmalade@lab.example, ocelot42@lab.example")
    assert found([path], [ADDRESS]) == []

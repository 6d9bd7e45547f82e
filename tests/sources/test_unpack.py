"""Unpacking does not depend on where the network cuts a body into chunks."""

import gzip
import zlib

import pytest

from digest.sources.unpack import TooLarge, body_of

MEMBERS = gzip.compress(b"papers ") + gzip.compress(b"and more papers")


@pytest.mark.parametrize("size", range(1, len(MEMBERS) + 1))
def test_all_members_are_unpacked_wherever_the_chunks_are_cut(size: int) -> None:
    chunks = [MEMBERS[at : at + size] for at in range(0, len(MEMBERS), size)]
    assert body_of(chunks, "gzip", 1_000) == b"papers and more papers"


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0\0\0", b"\x1f", b"\x1fno gzip"])
@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_padding_after_the_last_member_is_passed_over(padding: bytes, size: int) -> None:
    packed = MEMBERS + padding
    chunks = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert body_of(chunks, "gzip", 1_000) == b"papers and more papers"


@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_bare_deflate_and_cut_off_streams(size: int) -> None:
    bare = zlib.compress(b"papers " * 50)[2:-4]
    chunks = [bare[at : at + size] for at in range(0, len(bare), size)]
    assert body_of(chunks, "deflate", 1_000) == b"papers " * 50
    with pytest.raises(EOFError):
        body_of([MEMBERS[:-9]], "gzip", 1_000)


def test_members_together_are_held_to_the_cap() -> None:
    many = gzip.compress(b"0" * 400) * 3
    with pytest.raises(TooLarge):
        body_of([many], "gzip", 1_000)

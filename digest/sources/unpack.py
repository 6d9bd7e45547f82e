"""A reply's raw bytes → its body, with a cap on what is read and on what is unpacked.

HTTP libraries unpack a whole chunk before a cap can be checked; a bounded zlib stream never holds
more than the cap.
"""

import zlib
from collections.abc import Iterable, Iterator

from digest.errors import SourceUnreachable

MOST_BYTES = 10_000_000
_ENCODINGS = {"": None, "identity": None, "gzip": 47, "x-gzip": 47, "deflate": 47}
_RAW_DEFLATE = -15
_GZIP = b"\x1f\x8b"  # how every member begins (RFC 1952 §2.3.1)


class TooLarge(SourceUnreachable):
    """The reply is larger than the cap; another try would not help."""


def body_of(chunks: Iterable[bytes], encoding: str, most: int) -> bytes:
    """The body of at most `most` bytes, unpacked from `Content-Encoding` gzip or deflate.

    Raises TooLarge beyond the cap, SourceUnreachable for an encoding that was not asked for,
    zlib.error and EOFError for a stream that is spoiled or cut off.
    """
    name = encoding.strip().lower()
    if name not in _ENCODINGS:
        raise SourceUnreachable(f"the reply is packed as {name[:40]!r}, which was not asked for")
    window = _ENCODINGS[name]
    raw = _bounded(chunks, most)
    return b"".join(raw) if window is None else _unpacked(raw, window, most)


def _bounded(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    got = 0
    for chunk in chunks:
        got += len(chunk)
        if got > most:
            raise TooLarge(f"the reply is larger than {most:,} bytes")
        yield chunk


def _unpacked(chunks: Iterable[bytes], window: int, most: int) -> bytes:
    """All members of a stream; what follows the last one, if it is no other, is padding."""
    stream, out, started = zlib.decompressobj(window), bytearray(), False
    held = b""  # the first bytes of a stream, until there are enough to tell what it is
    for chunk in chunks:
        data = held + chunk
        if (stream.eof or not started) and len(data) < len(_GZIP):
            held = data
            continue
        while data:
            if stream.eof:
                if not data.startswith(_GZIP):
                    return bytes(out)
                stream = zlib.decompressobj(window)
            try:
                out += stream.decompress(data, most - len(out) + 1)
            except zlib.error:
                if started:
                    raise
                stream = zlib.decompressobj(_RAW_DEFLATE)  # what some servers mean by deflate
                out += stream.decompress(data, most - len(out) + 1)
            started = True
            if len(out) > most:
                raise TooLarge(f"the reply unpacks to more than {most:,} bytes")
            data = stream.unconsumed_tail or stream.unused_data
            if stream.eof and len(data) < len(_GZIP):
                break
        held = data
    if not stream.eof and (started or held):
        raise EOFError("the packed reply ends too early")
    return bytes(out)

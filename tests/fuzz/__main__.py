"""`python -m tests.fuzz TARGET SECONDS [--corpus DIR]`: fuzz one target, guided by coverage.

Ends with 0 where nothing was found; else the input lies in digest-fuzz-found/ in the temporary
folder, and its trace is on stdout: put it into tests/fuzz/found/TARGET/, where it is tried ever
after. The last line on stdout says how many inputs were tried. Needs atheris (make test-all).
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MOST_BYTES = 10_000
SECONDS_PER_MOST = 1.0
FOUND_NOW = Path(tempfile.gettempdir()) / "digest-fuzz-found"
# What the coverage is counted of; to instrument all that is imported takes longer than to fuzz it
_SOURCES = ("digest.sources", "digest.domain.text", "digest.domain.latex", "digest.domain.identity")
MODULES = {
    "page": _SOURCES,
    "feed": (*_SOURCES, "feedparser"),
    "reply": _SOURCES,
    "bounces": ("digest.mail.returns", "flufl", "email"),
    "tokens": ("digest.mail.tokens", "digest.mail.verp", "itsdangerous"),
    "interests": ("digest.domain.interest_language", "digest.domain.interests",
                  "digest.domain.interest_lists", "digest.domain.records"),
    "text": ("digest.domain.text", "digest.domain.latex", "digest.mail.excerpts",
             "digest.mail.headers", "digest.mail.entries", "digest.mail.links", "pylatexenc"),
    "config": ("digest.settings", "tomllib"),
    "planted": ("tests.fuzz.targets",),
}  # fmt: skip


class TooSlow(AssertionError):
    """A second for ten kilobytes was not enough."""


def main() -> int:
    """Fuzz in a process of its own, because libFuzzer ends the one that it runs in."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("seconds", type=int)
    parser.add_argument("--corpus", type=Path, help="a folder to begin from and to add to")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        _fuzz(given.target, given.corpus, given.seconds)
    with tempfile.TemporaryDirectory() as folder:
        corpus = given.corpus or Path(folder)
        corpus.mkdir(parents=True, exist_ok=True)
        return _watched(given.target, given.seconds, corpus)


def _watched(target: str, seconds: int, corpus: Path) -> int:
    command = [sys.executable, "-m", "tests.fuzz", target, str(seconds), "--inside"]
    done = subprocess.run(
        [*command, "--corpus", str(corpus)], check=False, stderr=subprocess.PIPE, text=True,
        errors="replace",
    )  # fmt: skip
    tried = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    if done.returncode:
        sys.stderr.write(done.stderr[-12_000:])
    edges = re.findall(r"cov: (\d+)", done.stderr)
    count, covered = tried[1] if tried else "0", edges[-1] if edges else "0"
    sys.stdout.write(f"{target}: {count} inputs, {covered} edges\n")
    return done.returncode


def _fuzz(name: str, corpus: Path, seconds: int) -> None:
    import atheris

    with atheris.instrument_imports(include=list(MODULES[name])):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    seeds = target.all_seeds()
    for number, seed in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(seed)
        target.check(seed)  # imports and caches are warm before anything is timed
    words = corpus.parent / f"{corpus.name}.words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    FOUND_NOW.mkdir(exist_ok=True)

    def one(data: bytes) -> None:
        started = time.process_time()
        target.check(data)
        took = time.process_time() - started
        allowed = SECONDS_PER_MOST * max(1.0, len(data) / MOST_BYTES)
        if took > allowed:
            raise TooSlow(f"{took:.1f} s for {len(data)} bytes")

    options = [f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", f"-dict={words}"]
    options += ["-timeout=30", "-rss_limit_mb=2048", "-print_final_stats=1", "-seed=20261123"]
    options += [f"-artifact_prefix={FOUND_NOW}/{name}-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    """A word as libFuzzer's dictionaries have it."""
    return "".join(
        chr(octet) if 32 <= octet < 127 and octet not in b'"\\' else f"\\x{octet:02X}"
        for octet in word.encode()
    )


if __name__ == "__main__":
    sys.exit(main())

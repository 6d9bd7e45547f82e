"""Files that are no store, or a damaged one: refused with what to do, and left as they are."""

import random
import sqlite3
from contextlib import closing

import pytest

from tests.faults.store.conftest import ALL
from tests.faults.store.shop import TODAY, Shop, one_line
from tests.reliability import record

PAGE = 4096
FILES = 40 if ALL else 4
COMMANDS = (
    ("deliveries", "list"),
    ("subscribers", "list"),
    ("papers", "list"),
    ("stats",),
    ("preview", "p2@example.com"),
    ("compose", "--date", TODAY),
    ("deliver",),
    ("fetch", "--file", "papers.jsonl", "--format", "jsonl"),
    ("subscribers", "add", "new@example.com"),
    ("export", "store.zip"),
    ("bounces", "read", "returned.mbox"),
    ("prune",),
)
REFUSED = (*COMMANDS, ("db", "upgrade"), ("db", "check"), ("db", "settle"), ("run",), ("web",))


def refused(shop: Shop, *words: str) -> None:
    """Every command refuses the file in one line and leaves it as it is; so does the doctor."""
    content = shop.path.read_bytes() if shop.path.is_file() else None
    for command in REFUSED:
        one_line(shop.run(*command), words)
    told = shop.run("doctor", "--offline", "--area", "store")
    assert told.code == 1
    assert words[0] in " ".join(told.out.split())
    assert content is None or shop.path.read_bytes() == content
    record("store faults", "files that are no store", tried=len(REFUSED) + 1, changed=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [b"Dear operator,\nthis is a letter.\n" * 300, b"\0" * 9000, bytes(range(256)) * 40],
    ids=["text", "zeros", "bytes"],
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(content: bytes, shop: Shop) -> None:
    shop.path.parent.mkdir(exist_ok=True)
    shop.path.write_bytes(content)
    refused(shop, "no SQLite database", "store.url", "restore a backup")


@pytest.mark.slow
def test_a_store_with_a_damaged_header_is_refused_and_left_alone(shop: Shop) -> None:
    shop.begin("sent")
    content = shop.path.read_bytes()
    shop.path.write_bytes(b"\xff" * 64 + content[64:])
    refused(shop, "no SQLite database", "store.url", "restore a backup")


@pytest.mark.slow
def test_a_store_that_was_cut_short_is_refused(shop: Shop) -> None:
    shop.begin("sent")
    content = shop.path.read_bytes()
    shop.path.write_bytes(content[: 3 * PAGE])
    for command in COMMANDS:
        one_line(shop.run(*command), ("damaged", "restore a backup"))
    assert "damaged" in " ".join(shop.run("doctor", "--offline", "--area", "store").out.split())


@pytest.mark.slow
def test_a_folder_in_place_of_the_store_is_refused(shop: Shop) -> None:
    shop.path.mkdir(parents=True)
    refused(shop, "cannot be opened")


@pytest.mark.slow
def test_an_empty_file_is_no_store_yet(shop: Shop) -> None:
    shop.path.parent.mkdir(exist_ok=True)
    shop.path.touch()
    refused_by_all = [shop.run(*command) for command in (*COMMANDS, ("run",), ("db", "settle"))]
    for ended in refused_by_all:
        one_line(ended, ("no store yet", "digest init"))
    assert shop.run("db", "upgrade").code == 0
    assert shop.run("subscribers", "list").code == 0


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The file with a page or three of its middle overwritten, zeroed, moved, or its end lost."""
    made = bytearray(content)
    pages = len(content) // PAGE
    for _ in range(rng.choice((1, 3))):
        at = rng.randrange(1, pages) * PAGE
        here = slice(at, at + PAGE)
        match rng.choice(("noise", "zeros", "bytes", "moved", "cut")):
            case "noise":
                made[here] = rng.randbytes(PAGE)
            case "zeros":
                made[here] = bytes(PAGE)
            case "moved":
                other = rng.randrange(1, pages) * PAGE
                made[here] = content[other : other + PAGE]
            case "bytes":
                for _ in range(60):
                    made[at + rng.randrange(PAGE)] = rng.randrange(256)
            case _:
                return bytes(made[: at + rng.randrange(PAGE)])
    return bytes(made)


def is_sound(shop: Shop) -> bool:
    try:
        with closing(sqlite3.connect(shop.path)) as store:
            return store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    except sqlite3.DatabaseError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FILES))
def test_whatever_is_damaged_no_command_falls_over_it(seed: int, shop: Shop) -> None:
    shop.bounces()
    rng = random.Random(seed)
    content = damaged(shop.stock["composed"].read_bytes(), rng)
    refusals = 0
    for command in COMMANDS if ALL else rng.sample(COMMANDS, 5):
        shop.begin("composed")
        shop.path.write_bytes(content)
        ended = shop.run(*command)
        if ended.code == 1:
            one_line(ended, ("damaged", "restore a backup"))
            refusals += 1
        assert ended.code in (0, 1, 3)
    shop.begin("composed")
    shop.path.write_bytes(content)
    if not is_sound(shop):
        assert shop.run("db", "backup", f"kept{seed}.sqlite3").code == 1
        one_line(shop.run("db", "settle"), ("damaged", "restore a backup"))
    record("store faults", "damaged in the middle", tried=1, refused=refusals, tracebacks=0)


@pytest.mark.slow
def test_a_log_of_another_store_beside_a_backup_is_found_before_anything_is_sent(
    shop: Shop,
) -> None:
    shop.begin("sent")
    with shop.in_use() as store:
        for number in range(40):
            store.execute(
                "CREATE TABLE other (a)" if not number else "INSERT INTO other VALUES (1)"
            )
            store.execute("DELETE FROM deliveries WHERE id = ?", (number,))
        log = shop.path.with_name(f"{shop.path.name}-wal").read_bytes()
    shop.begin("people")
    shop.path.with_name(f"{shop.path.name}-wal").write_bytes(log)
    one_line(shop.run("db", "settle"), ("damaged", "remove its -wal and -shm"))
    told = shop.run("doctor", "--offline", "--area", "store")
    assert told.code == 1, told.out
    shop.begin("people")  # as docs/backup.md says: without what lay beside it
    assert shop.run("db", "settle").code == 0

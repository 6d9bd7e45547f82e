"""Looks at the store itself: whether it can be written, whether it is sound, what it runs on."""

from sqlalchemy import Engine, text

from digest.errors import StoreError
from digest.store.database import reading, store_errors
from digest.store.troubles import DAMAGED


def try_writing(engine: Engine) -> None:
    """Write, and take it back. Raises StoreError where the store cannot be written."""
    with store_errors(), engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
        connection.rollback()


def quick_check(engine: Engine) -> list[str]:
    """What SQLite finds wrong with its file, at most ten lines; none where it is sound."""
    with reading(engine) as session:
        found = session.execute(text("PRAGMA quick_check(10)")).scalars().all()
    return [line for line in found if line != "ok"]


def damage(engine: Engine) -> str:
    """What is wrong with SQLite's file and what to do about it, in one line, looked at thoroughly;
    empty where it is sound, or not SQLite.
    """
    if engine.dialect.name != "sqlite":
        return ""
    try:
        with reading(engine) as session:
            (first,) = session.execute(text("PRAGMA integrity_check(1)")).scalars().all()
    except StoreError as exc:
        return str(exc)
    return "" if first == "ok" else DAMAGED.format(said=" ".join(str(first).split()))


def server_version(engine: Engine) -> int:
    """PostgreSQL's version as a number: 180001 is 18.1."""
    with reading(engine) as session:
        return int(session.execute(text("SHOW server_version_num")).scalar_one())


def numbers_used(engine: Engine) -> float:
    """Which part of the numbers of deliveries is used, 0 to 1: none is given twice, and on
    PostgreSQL they have 32 bits.
    """
    if engine.dialect.name != "postgresql":
        return 0.0
    with reading(engine) as session:
        last = session.execute(text("SELECT coalesce(max(id), 0) FROM deliveries")).scalar_one()
    return int(last) / (2**31 - 1)


def zones_in_use(engine: Engine) -> list[str]:
    """The names of the subscribers' time zones."""
    with reading(engine) as session:
        found = session.execute(text("SELECT DISTINCT timezone FROM subscribers ORDER BY 1"))
        return list(found.scalars())

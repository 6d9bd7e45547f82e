"""Looks at the store itself: whether it can be written, whether it is sound, what it runs on."""

from sqlalchemy import Engine, text

from digest.store.database import reading, store_errors


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


def server_version(engine: Engine) -> int:
    """PostgreSQL's version as a number: 180001 is 18.1."""
    with reading(engine) as session:
        return int(session.execute(text("SHOW server_version_num")).scalar_one())


def zones_in_use(engine: Engine) -> list[str]:
    """The names of the subscribers' time zones."""
    with reading(engine) as session:
        found = session.execute(text("SELECT DISTINCT timezone FROM subscribers ORDER BY 1"))
        return list(found.scalars())

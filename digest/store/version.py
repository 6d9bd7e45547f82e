"""Which schema this program knows, asked without loading the migration engine.

While a new version rolls through many hosts, programs of the old one meet its schema. They go on
where it only adds to theirs: the store says which is the oldest schema whose programs can use it.
"""

from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from digest.errors import StoreError
from digest.store.database import reading

NEWEST = "0009"


def is_usable(engine: Engine) -> bool:
    """Whether this program can work with the store: it has our schema, or a newer one that only
    adds to it.

    False for anything else, a store that is missing or damaged too: `schema` says what is wrong.
    """
    path = engine.url.database
    if engine.dialect.name == "sqlite" and not (path and Path(path).is_file()):
        return False
    try:
        with reading(engine) as session:
            found = session.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
            if list(found) == [NEWEST]:
                return True
            # numbers of four digits stand in their order as texts too
            oldest = session.execute(text("SELECT oldest FROM schema_support")).scalar()
    except (DatabaseError, StoreError):
        return False
    return bool(found and oldest) and max(found) > NEWEST >= str(oldest)


def newer(engine: Engine) -> str | None:
    """The store's schema where it is newer than this program's, else None.

    Raises StoreError where the store cannot be asked.
    """
    with reading(engine) as session:
        found = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found if found and found > NEWEST else None

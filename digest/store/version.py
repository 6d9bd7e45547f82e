"""Which schema this program knows, asked without loading the migration engine."""

from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from digest.errors import StoreError
from digest.store.database import reading

NEWEST = "0006"


def is_newest(engine: Engine) -> bool:
    """Whether the store has exactly the schema that this program knows.

    False for anything else, a store that is missing or damaged too: `schema` says what is wrong.
    """
    path = engine.url.database
    if engine.dialect.name == "sqlite" and not (path and Path(path).is_file()):
        return False
    try:
        with reading(engine) as session:
            found = session.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    except (DatabaseError, StoreError):
        return False
    return list(found) == [NEWEST]

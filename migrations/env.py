"""Runs migrations on the connection and inside the transaction that `digest.store.schema` opened.

The lock against a second process, and SQLite's foreign keys (off, because a batch operation drops
and renames tables, which would delete child rows by cascade), are that module's business too.
"""

from itertools import count
from typing import Any

from alembic import context
from sqlalchemy import event

from digest import faultpoints
from digest.store.tables import metadata

connection = context.config.attributes["connection"]


def applied(step: Any, **_others: Any) -> None:
    """After each migration, whose version is written then."""
    faultpoints.reach(f"migrate.{step.up_revision_id}", "applied")


context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
    on_version_apply=applied,
)
if faultpoints.ARMED:
    steps = count(1)
    event.listen(
        connection,
        "after_cursor_execute",
        lambda *_statement: faultpoints.reach("migrate.step", f"{next(steps):03}"),
    )
context.run_migrations()

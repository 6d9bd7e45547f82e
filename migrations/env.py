"""Runs migrations on the connection and inside the transaction that `digest.store.schema` opened.

The lock against a second process, and SQLite's foreign keys (off, because a batch operation drops
and renames tables, which would delete child rows by cascade), are that module's business too.
"""

from alembic import context

from digest.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
context.run_migrations()

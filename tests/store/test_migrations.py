"""Migrations on both engines: from empty, up, down, up again, and equal to `tables.py`."""

from digest.store import schema


def test_an_empty_database_comes_up_to_head_and_equals_the_tables(bare_engine):
    assert schema.current(bare_engine) is None
    assert schema.upgrade(bare_engine) == (None, schema.head())
    assert schema.current(bare_engine) == schema.head()
    assert schema.check(bare_engine) == []
    assert schema.upgrade(bare_engine) == (schema.head(), schema.head())


def test_the_fixture_store_is_migrated(engine):
    schema.require_known(engine)

"""The store: rows in SQLite or PostgreSQL ↔ the domain's values. All SQL stands here."""

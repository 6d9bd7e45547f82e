"""The whole store into an archive and back, on either engine, and SQLite's backup while it runs.

values    a row ↔ its line
archive   the file: its manifest and its parts, written and read with distrust
exports   store → archive
imports   archive → an empty store, also one of an older schema
backup    SQLite's own copy of a store in use
outputs   files that appear whole or not at all
settle    after a backup came back: nothing is sent twice
"""

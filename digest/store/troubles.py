"""What a store cannot do, in plain words: what is wrong with it, and what the operator does."""

import sqlite3

DAMAGED = (
    "the store's file is damaged or no SQLite database ({said}): see that store.url names it, else "
    "stop the service, restore a backup and run 'digest db settle'"
)

_FULL = (
    "the store's disk is full ({said}): make room on it and do this again; nothing is half-written"
)
_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,  # what every process at work shares cannot grow
    sqlite3.SQLITE_IOERR: "the store's disk failed ({said}, {name}): make room if it is full, "
    "else see what the system says of it (dmesg)",
    sqlite3.SQLITE_READONLY: "the store can only be read here ({said}): let the user of the "
    "service write to its file, its folder and that disk",
    sqlite3.SQLITE_BUSY: "another process keeps the store locked ({said}): do this again when it "
    "is done, or see who it is (fuser)",
    sqlite3.SQLITE_CANTOPEN: "the store's file cannot be opened ({said}): see that it is a file, "
    "and that the user of the service may write to it and its folder",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}

# by SQLSTATE, or the class of it (PostgreSQL's manual, appendix A)
_POSTGRESQL = {
    "53100": "make room on PostgreSQL's disk; nothing is half-written, and what waits is done then",
    "53300": "raise max_connections of PostgreSQL, or run fewer processes",
    "25006": "name the primary server in store.url, not a standby",
    "55P03": "another process holds these rows: do this again when it is done",
    "25P03": "this process was silent for too long; nothing is half-written: do this again",
    "57014": "it took too long, or was cancelled; nothing is half-written: do this again",
    "40P01": "nothing is half-written: do this again",
    "28": "correct user and password in store.url",
    "3D000": "create the database, or correct its name in store.url",
    "57P": "PostgreSQL stopped or ended our connection: do this again when it runs",
    "08": "see that PostgreSQL runs and can be reached: do this again then",
    "XX": "PostgreSQL says that its files are damaged: restore a backup",
}
_NO_ANSWER = _POSTGRESQL["08"]


def plainly(cause: BaseException | None) -> str:
    """One line on what the engine's own error means, and on what to do about it."""
    said = " ".join(str(cause).split())
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause, said)
    state = getattr(cause, "sqlstate", None) or ""
    advice = next(
        (_POSTGRESQL[key] for key in (state, state[:3], state[:2]) if key in _POSTGRESQL),
        "" if state else _NO_ANSWER,
    )
    return f"the store failed: {said}" + (f" – {advice}" if advice else "")


def _of_sqlite(cause: sqlite3.Error, said: str) -> str:
    if said.startswith("Could not decode to UTF-8"):  # what it could not decode may be an address
        return DAMAGED.format(said="text that is not Unicode")
    # absent where Python itself, not the library, found the fault
    code = getattr(cause, "sqlite_errorcode", 0)
    told = _SQLITE.get(code) or _SQLITE.get(code & 0xFF) or "the store failed: {said}"
    return told.format(said=said, name=getattr(cause, "sqlite_errorname", ""))

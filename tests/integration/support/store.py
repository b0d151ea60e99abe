"""The rows of a gateway's SQLite store, as they lie in the file."""
import contextlib
import json
import os
import sqlite3


def opened(site):
    """To read it. Closed at the end: who has it open keeps alive what a process that was killed has left in its shared memory."""
    return contextlib.closing(sqlite3.connect(f"file:{os.path.join(site.folder, 'store.db')}?mode=ro", uri=True))


def rows_of(site):
    """(key, value, expires) of each row, as text."""
    with opened(site) as database:
        return [(key.decode(), value.decode(), expires) for key, value, expires in database.execute("select key, value, expires from gh_rows")]


def at_rest(site):
    """All of it, the log of revocations too, as one text."""
    with opened(site) as database:
        entries = [entry.decode() for (entry,) in database.execute("select entry from gh_log")]
    found = "\n".join([f"{key} {value}" for key, value, _ in rows_of(site)] + entries)
    assert found, "an empty store proves nothing"
    return found


def rewrite(site, prefix, change, expires=None):
    """What rows of this kind hold, and when they end, is changed behind the gateway's back, while it does not run."""
    changed = [(json.dumps(change(json.loads(value))).encode(), key.encode()) for key, value, _ in rows_of(site) if key.startswith(prefix)]
    assert changed, f"no row begins with {prefix}"
    with contextlib.closing(sqlite3.connect(os.path.join(site.folder, "store.db"))) as database, database:
        database.executemany("update gh_rows set value = ? where key = ?", changed)
        if expires is not None:
            database.executemany("update gh_rows set expires = ? where key = ?", [(expires, key) for _, key in changed])

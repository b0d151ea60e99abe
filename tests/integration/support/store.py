"""The rows of a gateway's store, as they lie in its SQLite file, or in the Redis that takes its place (support/redis.py)."""
import contextlib
import json
import os
import sqlite3

from . import redis


def opened(site):
    """To read it. Closed at the end: who has it open keeps alive what a process that was killed has left in its shared memory."""
    return contextlib.closing(sqlite3.connect(f"file:{os.path.join(site.folder, 'store.db')}?mode=ro", uri=True))


def server_of(site):
    return redis.server_of(site.folder, {"store": "sqlite:store.db"})


def rows_of(site):
    """(key, value, expires) of each row, as text."""
    if redis.REDIS:
        with server_of(site).asked() as say:
            return [(key.decode(), value.decode(), expires) for key, value, expires, _ in redis.rows(say)]
    with opened(site) as database:
        return [(key.decode(), value.decode(), expires) for key, value, expires in database.execute("select key, value, expires from gh_rows")]


def entries_of(site):
    """The lines of the log of revocations."""
    if redis.REDIS:
        with server_of(site).asked() as say:
            return [entry.decode() for entry in redis.entries(say)]
    with opened(site) as database:
        return [entry.decode() for (entry,) in database.execute("select entry from gh_log")]


def at_rest(site):
    """All of it, the log of revocations too, as one text."""
    found = "\n".join([f"{key} {value}" for key, value, _ in rows_of(site)] + entries_of(site))
    assert found, "an empty store proves nothing"
    return found


def take_away(site, name):
    """The store is out of reach from now on: the file moved, or the server killed. Returns the words that the log has for it."""
    if redis.REDIS:
        site.server.end()
        return "the server"
    os.rename(os.path.join(site.folder, name), os.path.join(site.folder, "away"))
    return "was moved or deleted"


def give_back(site, name):
    if redis.REDIS:
        site.server.start()
    else:
        os.rename(os.path.join(site.folder, "away"), os.path.join(site.folder, name))


def files_of(name):
    """What the store has in the site's folder."""
    return () if redis.REDIS else (name,)


def rewrite(site, prefix, change, expires=None):
    """What rows of this kind hold, and when they end, is changed behind the gateway's back, while it does not run."""
    changed = [(json.dumps(change(json.loads(value))).encode(), key.encode()) for key, value, _ in rows_of(site) if key.startswith(prefix)]
    assert changed, f"no row begins with {prefix}"
    if redis.REDIS:
        with server_of(site).asked() as say:
            names = {key: name for key, _, _, name in redis.rows(say)}
            for value, key in changed:
                redis.rewrite(say, names[key], value, expires)
        return
    with contextlib.closing(sqlite3.connect(os.path.join(site.folder, "store.db"))) as database, database:
        database.executemany("update gh_rows set value = ? where key = ?", changed)
        if expires is not None:
            database.executemany("update gh_rows set expires = ? where key = ?", [(expires, key) for _, key in changed])

#!/usr/bin/env python3
"""FILE of URIs, one a line -> a line each: what it names in Python: "-" for none. A slash at the end is kept: folders are not compared."""
import json
import pathlib
import sys
import urllib.parse


SPECIAL = ("http", "https", "ws", "wss", "ftp", "file")  # of others the host is a name of its own, letter case included


def named(uri):
    try:
        parts = urllib.parse.urlsplit(uri)
        path = urllib.parse.unquote(parts.path)
        end = "/" if path.endswith("/") and parts.scheme != "file" else ""
        return json.dumps([parts.scheme, parts.hostname if parts.scheme in SPECIAL else parts.netloc, parts.port, str(pathlib.PurePosixPath(path)) + end, urllib.parse.unquote_plus(parts.query)])
    except ValueError:
        return "-"


def main():
    with open(sys.argv[1], encoding="utf-8", newline="\n") as file:
        print("\n".join(named(line[:-1]) for line in file))


if __name__ == "__main__":
    main()

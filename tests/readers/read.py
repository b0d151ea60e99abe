#!/usr/bin/env python3
"""FILE of bodies -> a line each: what a server in Python reads: json.loads of the bytes."""
import json
import struct
import sys


def text(value):
    return value.encode("utf-8", "surrogatepass").hex() + "." if isinstance(value, str) else "-"


def member(value, name):
    return value.get(name) if isinstance(value, dict) else None


def read(body):
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return "-"
    params = member(message, "params")
    ref = member(params, "ref")
    return " ".join(text(value) for value in (member(message, "method"), member(params, "name"), member(params, "uri"),
                                              member(ref, "type"), member(ref, "name"), member(ref, "uri")))


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    at, lines = 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        lines.append(read(data[at + 4:at + 4 + size]))
        at += 4 + size
    print("\n".join(lines))


if __name__ == "__main__":
    main()

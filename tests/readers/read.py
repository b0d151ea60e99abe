#!/usr/bin/env python3
"""FILE of bodies -> a line each: what a server in Python reads: json.loads of the bytes."""
import json
import struct
import sys

NOTHING = object()


def text(value):
    return value.encode("utf-8", "surrogatepass").hex() + "." if isinstance(value, str) else "-"


def member(value, name, other=None):
    return value.get(name, other) if isinstance(value, dict) else other


def value_of(value):
    if value is NOTHING:
        return "-"
    if value is None:
        return "z"
    if isinstance(value, str):
        return "s" + text(value)
    if isinstance(value, bool):
        return f"b{value:d}"
    if not isinstance(value, (int, float)):
        return "o"
    try:
        return "n" + struct.pack(">d", float(value) + 0.0).hex()
    except OverflowError:
        return "?"


def first(value):
    return value[0] if isinstance(value, list) and value else member(value, "0")


def read(body):
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return "-"
    params = member(message, "params")
    ref = member(params, "ref")
    arguments = member(params, "arguments")
    names = (member(message, "method"), member(params, "name"), member(params, "uri"), member(ref, "type"), member(ref, "name"), member(ref, "uri"))
    values = (member(arguments, "amount", NOTHING), member(first(member(arguments, "to")), "account", NOTHING))
    return " ".join([*map(text, names), *map(value_of, values)])


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

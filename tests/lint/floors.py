#!/usr/bin/env python3
"""Checks every #include against src/FLOORS: own folder and lower lines only, and one home for each library."""
import os
import re

import tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)

STANDARD = {"assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h",
            "stdio.h", "stdlib.h", "string.h", "strings.h", "float.h", "math.h", "stdatomic.h", "stdalign.h"}
# The pure core's face shows plain data; behind it stand only the parsers and ciphers it is made of.
PURE = {"include": STANDARD - {"stdio.h"}, "core": STANDARD}
CORE_LIBRARIES = ("openssl/", "jansson.h")
CORE_NEVER = ("openssl/ssl.h", "openssl/bio.h")
# Each library is used on one floor, which hides it from the others; app prints the versions of all.
HOMES = {"event2/": "io", "openssl/ssl.h": "io", "nghttp2/": "wire", "curl/": "upstream", "yaml.h": "conf", "sqlite3.h": "store", "hiredis/": "store"}


def read_floors(root):
    """Folder -> height. Folders on one line are strangers: same height, another name."""
    heights = {}
    for height, line in enumerate(l for l in tree.read(root, "src/FLOORS").splitlines() if not l.startswith("#")):
        heights.update({folder: height for folder in line.split()})
    return heights


def floor_of(path, heights):
    """The floor a file stands on; tests of a floor stand just above it, other tests above all."""
    parts = path.split("/")
    if parts[0] == "include":
        return "include"
    if parts[0] == "src":
        return parts[1] if len(parts) > 2 else None
    if parts[:2] == ["tests", "unit"] and len(parts) > 3:
        return parts[2]
    return max(heights, key=heights.get)


def target(root, path, name):
    """The file of the project that `#include "name"` in path means, or None."""
    for folder in (os.path.dirname(path), "include", "src", "tests"):
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def check_own(root, path, name, heights):
    if ".." in name.split("/"):
        return (f'includes "{name}"', "allowed: a path from include/, src/ or tests/, without ..")
    found = target(root, path, name)
    if found is None:
        return (f'includes "{name}"', "allowed: a header that exists in include/, src/ or beside the file")
    mine = floor_of(path, heights)
    if found.startswith("tests/"):
        return None if path.startswith("tests/") else (f'includes "{name}"', "allowed: no test header outside tests/")
    other = floor_of(found, heights)
    if other == mine or heights[other] < heights[mine]:
        return None
    lower = " ".join(f for f in heights if heights[f] < heights[mine]) or "nothing"
    return (f'{mine} includes "{name}" of {other}', f"allowed: {mine} {lower}")


def check_library(path, name, heights):
    mine = floor_of(path, heights)
    if path.startswith("tests/"):
        return None
    if mine in PURE and name not in PURE[mine]:
        library = mine == "core" and name.startswith(CORE_LIBRARIES) and name not in CORE_NEVER
        if not library:
            more = " and openssl/ (no TLS, no BIO), jansson.h" if mine == "core" else ""
            return (f"{mine} includes <{name}>", f"allowed: plain C headers{more}")
    for prefix, home in HOMES.items():
        if name.startswith(prefix) and mine not in (home, "app"):
            return (f"{mine} includes <{name}>", f"allowed: only in {home}")
    return None


def check(root):
    heights = read_floors(root)
    findings = []
    for path in tree.files(root, (".c", ".h"), ("src/", "include/", "tests/")):
        floor = floor_of(path, heights)
        if floor not in heights:
            findings.append((path, 1, f"stands in {floor or 'src'}/", "allowed: a folder named in src/FLOORS"))
            continue
        # Literals must stay readable here, so only comments are removed.
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), tree.read(root, path), flags=re.S)
        for match in INCLUDE.finditer(text):
            own = match.group(1) == '"'
            problem = (check_own(root, path, match.group(2), heights) if own
                       else check_library(path, match.group(2), heights))
            if problem:
                findings.append((path, text.count("\n", 0, match.start()) + 1, *problem))
    return findings


if __name__ == "__main__":
    tree.main(check)

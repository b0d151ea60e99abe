#!/usr/bin/env python3
"""Checks docs/threat-model.md: every attack row stands there once, and every test that it names exists."""
import os
import re

import tree

DOCUMENT = "docs/threat-model.md"
# The rows there are, by family; these numbers are not in use.
FAMILIES = {"J": 27, "K": 7, "A": 31, "H": 17, "D": 9, "T": 8, "S": 6, "R": 18, "X": 7, "L": 3, "M": 2, "C": 2, "P": 3, "Z": 20}
UNUSED = {"A28", "A29"}
ROW = re.compile(r"^\|\s*([A-Z]\d+)\s*\|([^|]*)\|(.*)\|\s*$")
# `path` or `path::name`, where it looks like a path of a test.
REFERENCE = re.compile(r"`(tests/[^`\s]+?)(?:::([^`]+))?`")
LATER = re.compile(r"\blater: \S")


def names(path, text, name):
    """Does the file define that test, or hold that text where it is a table?"""
    if path.endswith(".py"):
        return re.search(rf"^\s*def {re.escape(name)}\(", text, re.M) is not None
    if path.endswith(".c"):
        return re.search(rf"^static void {re.escape(name)}\(", text, re.M) is not None
    return name in text


def check_references(root, line, text):
    for path, name in REFERENCE.findall(text):
        if not os.path.isfile(os.path.join(root, path)):
            yield (DOCUMENT, line, f"`{path}` is no file", "allowed: tests that are there")
        elif name and not names(path, tree.read(root, path), name.replace("\\#", "#")):
            yield (DOCUMENT, line, f"`{path}` has no {name}", "allowed: tests that are there")


def check(root):
    if not os.path.exists(os.path.join(root, DOCUMENT)):
        return [(DOCUMENT, 1, "no such file", "allowed: a table of all attack rows")]
    wanted = {f"{family}{i + 1}" for family, count in FAMILIES.items() for i in range(count)} - UNUSED
    findings, seen = [], set()
    for number, line in enumerate(tree.read(root, DOCUMENT).splitlines(), 1):
        findings += check_references(root, number, line)
        match = ROW.match(line)
        if match is None:
            continue
        row, cell = match.group(1), match.group(3)
        if row not in wanted or row in seen:
            findings.append((DOCUMENT, number, f"row {row}", "allowed: each attack row once"))
        seen.add(row)
        if not REFERENCE.search(cell) and not LATER.search(cell):
            findings.append((DOCUMENT, number, f"row {row} names no test", "allowed: `tests/...::name`, or later: and what it waits for"))
    for row in sorted(wanted - seen):
        findings.append((DOCUMENT, 1, f"row {row} is missing", "allowed: each attack row once"))
    return findings


if __name__ == "__main__":
    tree.main(check)

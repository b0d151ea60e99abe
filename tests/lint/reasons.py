#!/usr/bin/env python3
"""Checks that every row of GH_REASONS has a line in docs/reasons.md and a case that produces it end to end."""
import os
import re

import tree

HEADER, DOCUMENT = "include/gatehouse/reason.h", "docs/reasons.md"
# Memory that runs out and a library that breaks cannot be had from outside: a unit test makes them.
CASES = ("tests/tables/", "tests/integration/", "tests/unit/")
ROW = re.compile(r'^\s*X\((\w+),\s*"([^"]*)",\s*(\d+),\s*(?:NULL|"[^"]*"),\s*(NULL|"[^"]*")\)', re.M)
LINE = re.compile(r"^\|\s*`([^`]+)`\s*\|\s*(\d+)\s*\|", re.M)
# `reason: slug` in a comment beside a table's case, or reason="slug" handed to an assertion.
MARK = re.compile(r'\breason(?:: |=")([a-z][a-z0-9_]*)')


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def read_rows(root):
    """slug -> (line, status), and findings about the table itself."""
    text = tree.read(root, HEADER)
    rows, findings = {}, []
    for match in ROW.finditer(text):
        name, slug, status, line = match.group(1), match.group(2), int(match.group(3)), line_of(text, match.start())
        if slug != name.lower():
            findings.append((HEADER, line, f'slug "{slug}" of {name}', f'allowed: "{name.lower()}"'))
        if slug in rows:
            findings.append((HEADER, line, f'slug "{slug}" a second time', "allowed: one row per reason"))
        rows[slug] = (line, status)
    if len(rows) != len(re.findall(r"^\s*X\(", text, re.M)) or not rows:
        findings.append((HEADER, 1, "a row of GH_REASONS that cannot be read", 'allowed: X(ID, "slug", status, error, text)'))
    return rows, findings


def check_document(root, rows):
    if not os.path.exists(os.path.join(root, DOCUMENT)):
        yield (DOCUMENT, 1, "no such file", "allowed: a row | `slug` | status | ... for each reason")
        return
    text, seen = tree.read(root, DOCUMENT), set()
    for match in LINE.finditer(text):
        slug, status, line = match.group(1), int(match.group(2)), line_of(text, match.start())
        if slug not in rows:
            yield (DOCUMENT, line, f"`{slug}` is no reason", f"allowed: the slugs of {HEADER}")
        elif rows[slug][1] != status:
            yield (DOCUMENT, line, f"`{slug}` with status {status}", f"allowed: {rows[slug][1]}")
        seen.add(slug)
    for slug in rows.keys() - seen:
        yield (HEADER, rows[slug][0], f'"{slug}" has no line in {DOCUMENT}', "allowed: one line each")


def check_cases(root, rows):
    seen = set()
    for path in tree.files(root, (".cases", ".py", ".c"), CASES):
        text = tree.read(root, path)
        for match in MARK.finditer(text):
            if match.group(1) not in rows:
                yield (path, line_of(text, match.start()), f'marks "{match.group(1)}", which is no reason',
                       f"allowed: the slugs of {HEADER}")
            seen.add(match.group(1))
    for slug in rows.keys() - seen:
        yield (HEADER, rows[slug][0], f'"{slug}" has no case',
               f'allowed: `reason: {slug}` or reason="{slug}" in {" or ".join(CASES)}')


def check(root):
    rows, findings = read_rows(root)
    return findings + list(check_document(root, rows)) + list(check_cases(root, rows))


if __name__ == "__main__":
    tree.main(check)

#!/usr/bin/env python3
"""Refuses unfinished business without an issue number, and paths of a developer's machine."""
import re

import tree

# Written in halves, so that this file passes its own check.
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b(?![^\n]*#\d+)")
MACHINE = re.compile(r"(?<![\w.$}/-])/(?:ho" r"me|Us" r"ers|ro" r"ot|wo" r"rk|fa" r"rm)/\w[\w./-]*")
GENERATED = ("package-lock.json",)


def check(root):
    findings = []
    for path in tree.files(root):
        if path.endswith(GENERATED):
            continue
        for number, line in enumerate(tree.read(root, path).splitlines(), 1):
            for match in UNFINISHED.finditer(line):
                findings.append((path, number, match.group(), "allowed: with the number of an issue, as in #12"))
            for match in MACHINE.finditer(line):
                findings.append((path, number, match.group(), "allowed: paths relative to the project, or of a Debian package"))
    return findings


if __name__ == "__main__":
    tree.main(check)

#!/usr/bin/env python3
"""Checks that each source file opens with a comment that says what it is for, under its own name if it gives one."""
import re

import tree

OPENINGS = {".c": r"/\* ?", ".h": r"/\* ?", ".py": r'"""|# ?', ".sh": r"# ?", ".mjs": r"// ?|/\*\*? ?", ".js": r"// ?|/\*\*? ?",
            "meson.build": r"# ?", "meson_options.txt": r"# ?", ".cases": r"# ?", ".ci/run": r"# ?"}
WORDS = 3
ALLOWED = "allowed: a comment that says in one sentence what the file is for"


def problem(path, text, opening):
    lines = text.splitlines() or [""]
    first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    match = re.match(opening, first)
    if match is None:
        return "no comment on the first line"
    said = first[match.end():]
    named = re.match(r"([\w./-]+\.\w+): ", said)
    if named and not ("/" + path).endswith("/" + named.group(1)):
        return f"calls itself {named.group(1)}"
    if len(re.findall(r"[A-Za-z]{2,}", said[named.end():] if named else said)) < WORDS:
        return "a first comment that says too little"
    return None


def check(root):
    findings = []
    for path in tree.files(root):
        opening = next((o for suffix, o in OPENINGS.items() if path.endswith(suffix)), None)
        if opening is None:
            continue
        what = problem(path, tree.read(root, path), opening)
        if what:
            findings.append((path, 1, what, ALLOWED))
    return findings


if __name__ == "__main__":
    tree.main(check)

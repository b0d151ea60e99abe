#!/usr/bin/env python3
"""Checks that rules are cited as `RFC NNNN section X`; with --list prints all citations, by document and section."""
import re
import sys

import tree

# Not the name of a file or folder, such as rfc7797/case.json.
NAMED = re.compile(r"\b[Rr][Ff][Cc][ -]?\d{3,5}(?![/_.]\w)[^\n]{0,40}")
PLACE = r"(?:[A-Z]|\d+)(?:\.\d+)*"
GOOD = re.compile(rf"RFC \d{{3,5}}(?: (?:section|appendix) {PLACE}| sections {PLACE}(?:, {PLACE})* (?:and|to) {PLACE})?\b")
# A document may be named as a whole, but what reads like a place behind it is a place written in another way.
ODD = re.compile(r",? ?(?:§|[Ss]ec|[Aa]ppendix|s\d|\d)")
BEHIND = re.compile(r"\b[Ss]ection \d[\d.]* of RFC \d+")
ALLOWED = "allowed: RFC NNNN section X, or RFC NNNN for the whole document"


def lines(root):
    for path in tree.files(root, (".c", ".h", ".py", ".sh", ".mjs", ".cases"), ("src/", "include/", "tests/")):
        if path.startswith("tests/lint/"):
            continue
        text = tree.read(root, path)
        # A citation may be broken over two lines of a comment.
        joined = re.sub(r"(RFC)\n[ \t]*[*#/]*[ \t]*(?=\d)", r"\1 ", text)
        joined = re.sub(r"(RFC \d+|section)\n[ \t]*[*#/]*[ \t]*(?=section|appendix|\d)", r"\1 ", joined)
        yield path, (text if joined.count("\n") == text.count("\n") else joined), text


def check(root):
    findings = []
    for path, joined, text in lines(root):
        for pattern, kind in ((NAMED, "named"), (BEHIND, "behind")):
            for match in pattern.finditer(joined):
                cited = match.group()
                good = kind == "named" and GOOD.match(cited)
                if good and not ODD.match(cited, good.end()):
                    continue
                line = text.count("\n", 0, text.find(cited)) + 1 if cited in text else 1
                findings.append((path, line, f'"{cited[:24].strip()}"', ALLOWED))
    return findings


def print_list(root):
    cited = {}
    for path, joined, _ in lines(root):
        for match in GOOD.finditer(joined):
            cited.setdefault(match.group(), set()).add(path)
    for name in sorted(cited, key=lambda n: [int(p) if p.isdigit() else p for p in re.findall(r"\d+|[A-Z]\b", n)][:1] + [n]):
        print(f"{name}: {', '.join(sorted(cited[name]))}")


if __name__ == "__main__":
    if "--list" in sys.argv:
        sys.argv.remove("--list")
        print_list(sys.argv[1] if len(sys.argv) > 1 else ".")
    else:
        tree.main(check)

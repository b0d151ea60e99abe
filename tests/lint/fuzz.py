#!/usr/bin/env python3
"""Checks that each fuzz target is short, has seeds, covers sources that are there, and a planted bug that still applies."""
import os
import re

import tree

FOLDER = "tests/fuzz"
LINES = 40
TARGET = re.compile(r"fuzz_(\w+)\.c")
COVERS = re.compile(r"covers: (.*?)\s*(?:\*/)?$", re.M)


def check_target(root, path, thing):
    text = tree.read(root, path)
    covered = COVERS.findall(text)
    if len(text.splitlines()) > LINES:
        yield (path, LINES, f"{len(text.splitlines())} lines", f"allowed: {LINES}, the rest in a file beside it")
    if not covered:
        yield (path, 1, "covers nothing", "allowed: covers: src/...c in a comment")
    for words in covered:
        sources, _, without = words.partition(" without ")
        for source in sources.split():
            if not os.path.isfile(os.path.join(root, source)):
                yield (path, 1, f"covers {source}", "allowed: sources that are there")
            elif missing := [name for name in without.split() if f"{name}(" not in tree.read(root, source)]:
                yield (path, 1, f"{source} has no {', '.join(missing)}", "allowed: functions of that source")
    seeds = os.path.join(root, FOLDER, "corpus", thing)
    if not os.path.isdir(seeds) or not os.listdir(seeds):
        yield (path, 1, "no seeds", f"allowed: some in {FOLDER}/corpus/{thing}")


def hunks(patch):
    """(file, [(number, the lines it takes to be there)])"""
    name, found = None, []
    for number, line in enumerate(patch.splitlines(True), 1):
        if line.startswith("--- "):
            name = line.split()[1].partition("/")[2]
        elif line.startswith("@@"):
            found.append((number, []))
        elif found and line[0] in " -":
            found[-1][1].append(line[1:])
    return name, found


def check_patch(root, path):
    name, found = hunks(tree.read(root, path))
    if name is None or not os.path.isfile(os.path.join(root, name)) or not found:
        yield (path, 1, f"for {name}", "allowed: a unified diff of a source that is there")
        return
    source = tree.read(root, name)
    for number, lines in found:
        if source.count("".join(lines)) != 1:
            yield (path, number, f"does not apply to {name}", "allowed: lines that stand there once; make the patch anew")


def check(root):
    findings = []
    things = {match.group(1): path for path in tree.files(root, [".c"], (FOLDER + "/",))
              if (match := TARGET.fullmatch(os.path.basename(path)))}
    for thing, path in things.items():
        findings += check_target(root, path, thing)
        patch = f"{FOLDER}/planted/{thing}.patch"
        if os.path.isfile(os.path.join(root, patch)):
            findings += check_patch(root, patch)
        else:
            findings.append((path, 1, "no planted bug", f"allowed: one in {patch}"))
    return findings


if __name__ == "__main__":
    tree.main(check)

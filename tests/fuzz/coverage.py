"""Says how many lines of its parser a fuzz target reaches: coverage.py TARGET.c < lcov, as llvm-cov export writes it.

A target names its sources in its comments, on one line each: covers: src/a.c src/b.c without function ...
The functions named there belong to somebody else: the other side of the protocol, or settings. Exit 1 below 90 %.
"""
import re
import sys

COVERS = re.compile(r"covers: (.*?)\s*(?:\*/)?$", re.M)
LEAST = 90


def wanted(text):
    """{source: functions left out}"""
    sources = {}
    for words in COVERS.findall(text):
        files, _, without = words.partition(" without ")
        for source in files.split():
            sources.setdefault(source, set()).update(without.split())
    return sources


def files(lcov):
    """(source, {line: count}, [(first line, function)]) of each file"""
    source, lines, functions = None, {}, []
    for row in lcov:
        kind, _, rest = row.rstrip("\n").partition(":")
        if kind == "SF":
            source, lines, functions = rest, {}, []
        elif kind == "FN":
            line, _, name = rest.partition(",")
            functions.append((int(line), name.rpartition(":")[2]))
        elif kind == "DA":
            line, count = rest.split(",")[:2]
            lines[int(line)] = int(count)
        elif kind == "end_of_record":
            yield source, lines, sorted(functions)


def counted(lines, functions, without):
    """The counts of the lines that no left-out function begins before."""
    for line, count in lines.items():
        inside = [name for first, name in functions if first <= line]
        if not inside or inside[-1] not in without:
            yield count


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        sources = wanted(file.read())
    found = {}
    for path, lines, functions in files(sys.stdin):
        for source, without in sources.items():
            if path.endswith(source):
                unknown = without - {name for _, name in functions}
                if unknown:
                    sys.exit(f"{source}: no function {', '.join(sorted(unknown))}")
                found[source] = list(counted(lines, functions, without))
    missing = sorted(set(sources) - set(found))
    if missing or not sources:
        sys.exit(f"{sys.argv[1]}: covers {', '.join(missing) or 'nothing'}: not in its program")
    reached = {source: sum(count > 0 for count in counts) for source, counts in found.items()}
    percent = 100 * sum(reached.values()) / sum(map(len, found.values()))
    print(f"{percent:.1f} %:", ", ".join(f"{source} {100 * reached[source] // len(found[source])}" for source in sources))
    sys.exit(percent < LEAST)


if __name__ == "__main__":
    main()

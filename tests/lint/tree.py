"""What every lint needs: the files of the project, C source without comments, and one way to report findings."""
import os
import re
import sys

SKIPPED = {"node_modules", "__pycache__", ".git", ".pytest_cache", ".venv"}
# Bytes published by others, or written by a fuzzer: not ours to shape.
DATA = ("tests/fuzz/corpus/", "tests/corpora/")


def files(root, suffixes=None, under=("",)):
    """Paths relative to root, sorted. `under` limits to folders, `suffixes` to endings of names."""
    found = []
    for top, folders, names in os.walk(root):
        at_root = os.path.realpath(top) == os.path.realpath(root)
        folders[:] = sorted(f for f in folders if f not in SKIPPED and not (at_root and f.startswith("build")))
        for name in names:
            path = os.path.relpath(os.path.join(top, name), root)
            wanted = name not in SKIPPED and (suffixes is None or name.endswith(tuple(suffixes)))
            if wanted and path.startswith(tuple(under)) and not path.startswith(DATA):
                found.append(path)
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


BLANKED = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def c_code(text):
    """C text with comments removed and literals emptied; line numbers stay."""
    def blank(match):
        lines = "\n" * match.group().count("\n")
        return ('""' if match.group()[0] == '"' else "0" if match.group()[0] == "'" else " ") + lines
    return BLANKED.sub(blank, text)


def without_preprocessor(code):
    """Blanks directives with their continuation lines."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group().count("\n"), code, flags=re.M)


def main(check):
    """Runs check(root) -> [(path, line, what, allowed)] on the tree this script stands in, or the one named."""
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(here))
    findings = sorted(check(root))
    for path, line, what, allowed in findings:
        print(f"{path}:{line}: {what}, {allowed}")
    sys.exit(1 if findings else 0)

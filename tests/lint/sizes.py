#!/usr/bin/env python3
"""Checks the hard limits: file 600 lines, header 250, function 80, nesting 4, parameters 8."""
import ast
import re

import tree

FILE, HEADER, FUNCTION, NESTING, PARAMETERS = 600, 250, 80, 4, 8
# A table may be as long as it must, if it says why: `size: table - <reason>` in a comment near the top.
TABLE = re.compile(r"size: table - \w+")
TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|[^\s\w]")
CONTROL = {"if", "for", "while", "switch", "do", "else"}
OPEN = {"(": ")", "{": "}", "[": "]"}


def tokens_of(text):
    code = tree.without_preprocessor(tree.c_code(text))
    tokens, line, at = [], 1, 0
    for match in TOKEN.finditer(code):
        line += code.count("\n", at, match.start())
        at = match.start()
        tokens.append((match.group(), line))
    return tokens


def closing(tokens, i):
    """Index of the bracket that closes tokens[i]."""
    stack = []
    while i < len(tokens):
        text = tokens[i][0]
        if text in OPEN:
            stack.append(OPEN[text])
        elif stack and text == stack[-1]:
            stack.pop()
            if not stack:
                return i
        i += 1
    return len(tokens) - 1


class Nesting:
    """Walks the statements of one function body and keeps the deepest control statement."""

    def __init__(self, tokens):
        self.tokens, self.depth, self.line = tokens, 0, 0

    def text(self, i):
        return self.tokens[i][0] if i < len(self.tokens) else "}"

    def note(self, depth, i):
        if depth > self.depth:
            self.depth, self.line = depth, self.tokens[i][1]

    def block(self, i, depth):
        i += 1
        while i < len(self.tokens) and self.text(i) != "}":
            i = self.statement(i, depth)
        return i + 1

    def control(self, i, depth):
        word = self.text(i)
        self.note(depth + 1, i)
        i += 1
        if self.text(i) == "(":
            i = closing(self.tokens, i) + 1
        i = self.statement(i, depth + 1)
        if word == "do":
            return self.plain(i)
        if word == "if" and self.text(i) == "else":
            # else if stands beside its if, not inside it.
            return self.statement(i + 1, depth if self.text(i + 1) == "if" else depth + 1)
        return i

    def plain(self, i):
        while i < len(self.tokens) and self.text(i) not in (";", "}"):
            i = closing(self.tokens, i) + 1 if self.text(i) in OPEN else i + 1
        return i + 1 if self.text(i) == ";" else i

    def label(self, i):
        """Index behind `case x:`, `default:` or `fail:`, or i when there is no label."""
        if self.text(i) == "case":
            while self.text(i) != ":":
                i += 1
            return i + 1
        named = re.match(r"[A-Za-z_]", self.text(i)) and self.text(i + 1) == ":"
        return i + 2 if named else i

    def statement(self, i, depth):
        behind = self.label(i)
        if behind != i:
            return behind
        if self.text(i) == "{":
            return self.block(i, depth)
        if self.text(i) in CONTROL:
            return self.control(i, depth)
        if self.text(i + 1) == "(" and re.match(r"[A-Z_]+$", self.text(i)):
            after = self.text(closing(self.tokens, i + 1) + 1)
            if after == "{" or after in CONTROL:  # a loop macro such as GH_LIST_EACH(node, head)
                return self.control(i, depth)
        return self.plain(i)


def parameters(tokens, begin, end):
    """(name, count, line) of the function that tokens[begin:end] declare, or None."""
    for i in range(begin + 1, end):
        name = tokens[i - 1][0]
        if tokens[i][0] != "(" or not re.match(r"[a-z]\w*[a-z0-9]\w*$", name) or name in ("__attribute__", "typeof"):
            continue
        last = closing(tokens, i)
        count, j = (1 if last > i + 1 else 0), i + 1
        while j < last:
            if tokens[j][0] in OPEN:
                j = closing(tokens, j)
            elif tokens[j][0] == ",":
                count += 1
            j += 1
        return (name, count, tokens[i - 1][1])
    return None


def check_c(path, text):
    tokens, begin, i = tokens_of(text), 0, 0
    while i < len(tokens):
        word, _ = tokens[i]
        words = {t for t, _ in tokens[begin:i]}
        if word == "{" or (word == ";" and "typedef" not in words and "=" not in words):
            found = None if "=" in words else parameters(tokens, begin, i)
            if found and found[1] > PARAMETERS:
                yield (path, found[2], f"{found[0]} takes {found[1]} parameters", f"allowed: {PARAMETERS}")
        if word == "{":
            end = closing(tokens, i)
            if found:
                length = tokens[end][1] - tokens[begin][1] + 1
                if length > FUNCTION:
                    yield (path, tokens[begin][1], f"{found[0]} has {length} lines", f"allowed: {FUNCTION}")
                nesting = Nesting(tokens[i:end + 1])
                nesting.block(0, 0)
                if nesting.depth > NESTING:
                    yield (path, nesting.line, f"{found[0]} nests {nesting.depth} deep", f"allowed: {NESTING}")
                begin = end + 1
            i = end
        elif word in (";", "}"):
            begin = i + 1
        i += 1


def check_python(path, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION:
                yield (path, node.lineno, f"{node.name} has {length} lines", f"allowed: {FUNCTION}")


def check(root):
    findings = []
    for path in tree.files(root, (".c", ".h", ".py", ".sh", ".mjs", ".js")):
        text = tree.read(root, path)
        limit = HEADER if path.endswith(".h") else FILE
        lines = text.count("\n")
        exempt = TABLE.search("\n".join(text.splitlines()[:10]))
        if lines > limit and not exempt:
            findings.append((path, 1, f"{lines} lines", f"allowed: {limit}"))
        if path.endswith((".c", ".h")):
            findings.extend(check_c(path, text))
        elif path.endswith(".py"):
            findings.extend(check_python(path, text))
    return findings


if __name__ == "__main__":
    tree.main(check)

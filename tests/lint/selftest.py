#!/usr/bin/env python3
"""Proves that each lint can fail: plants what it forbids beside a good twin, in a small tree of its own."""
import os
import subprocess
import tempfile
import unittest

import citations
import firstline
import floors
import fuzz
import reasons
import sizes
import threats
import words

HERE = os.path.dirname(os.path.abspath(__file__))
FLOORS = "# lowest first\ninclude\nbase\ncore\nio\nkeys gateway\napp\n"
REASON = ('/* include/gatehouse/reason.h: the reasons of this small tree. */\n#define GH_REASONS(X) \\\n'
          '    X(OK, "ok", 200, NULL, NULL) \\\n    X(TOKEN_EXPIRED, "token_expired", 401, "invalid_token", "It expired")\n')
DOCUMENT = "| reason | status |\n|---|---|\n| `ok` | 200 |\n| `token_expired` | 401 |\n"
CASES = '# reason: ok\n# reason: token_expired\n'


class Lint(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        self.write("src/FLOORS", FLOORS)
        self.write("src/base/str.h", "/* base/str.h: what one does with slices. */\n")
        self.write("src/gateway/stage.h", "/* gateway/stage.h: one stage of a request. */\n")
        self.write("include/gatehouse/types.h", "/* include/gatehouse/types.h: the types all use. */\n")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def found(self, lint, path, text):
        """What the lint says once that file is there."""
        self.write(path, text)
        return [f"{p}:{line}: {what}" for p, line, what, _ in lint.check(self.root)]

    def refuses(self, lint, path, good, bad, expected):
        """The good twin is silent; the bad one gives exactly one finding, with `expected` in it."""
        self.assertEqual(self.found(lint, path, good), [])
        findings = self.found(lint, path, bad)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(expected, findings[0])
        self.write(path, good)


class Floors(Lint):
    def test_upward_include(self):
        self.refuses(floors, "src/core/a.c", '#include "base/str.h"\n', '\n#include "gateway/stage.h"\n',
                     "src/core/a.c:2: core includes")

    def test_stranger(self):
        self.refuses(floors, "src/keys/a.c", '#include "gatehouse/types.h"\n', '#include "gateway/stage.h"\n', "of gateway")

    def test_unknown_header_and_dots(self):
        self.refuses(floors, "src/io/a.c", '#include "base/str.h"\n', '#include "base/nothing.h"\n', "nothing.h")
        self.refuses(floors, "src/io/a.c", '#include "base/str.h"\n', '#include "../base/str.h"\n', "../base")

    def test_core_is_pure(self):
        for header in ("event2/event.h", "sys/socket.h", "curl/curl.h", "time.h", "openssl/ssl.h", "unistd.h"):
            self.refuses(floors, "src/core/a.c", "#include <openssl/evp.h>\n", f"#include <{header}>\n", header)

    def test_face_is_plain(self):
        self.refuses(floors, "include/gatehouse/a.h", "#include <stdint.h>\n", "#include <jansson.h>\n", "jansson.h")
        self.refuses(floors, "include/gatehouse/a.h", '#include "gatehouse/types.h"\n', '#include "base/str.h"\n', "of base")

    def test_library_has_one_home(self):
        self.refuses(floors, "src/gateway/a.c", "#include <string.h>\n", "#include <event2/event.h>\n", "event2")
        self.assertEqual(self.found(floors, "src/io/a.c", "#include <event2/event.h>\n"), [])

    def test_unit_test_stays_on_its_floor(self):
        self.refuses(floors, "tests/unit/core/test_a.c", '#include "base/str.h"\n', '#include "gateway/stage.h"\n', "gateway")

    def test_unlisted_folder(self):
        self.assertIn("stands in cellar/", self.found(floors, "src/cellar/a.c", "")[0])

    def test_commented_include_is_none(self):
        self.assertEqual(self.found(floors, "src/core/a.c", '/* #include "gateway/stage.h" */\n'), [])


def function(lines=1, parameters=1, body=None):
    listed = ", ".join(f"int p{i}" for i in range(parameters))
    return f"int gh_f({listed})\n{{\n" + (body or "    work();\n" * lines) + "}\n"


def nested(depth):
    opened = "".join("    " * (i + 1) + f"if (p0 > {i})\n" for i in range(depth))
    return opened + "    " * (depth + 1) + "work();\n"


class Sizes(Lint):
    def test_file(self):
        self.refuses(sizes, "src/io/a.c", "int a;\n" * 600, "int a;\n" * 601, "601 lines")

    def test_header(self):
        self.refuses(sizes, "src/io/a.h", "int a;\n" * 250, "int a;\n" * 251, "251 lines")

    def test_table_needs_a_reason(self):
        rows = "    1,\n" * 700
        self.refuses(sizes, "src/io/a.c", "/* size: table - rows stand together */\n" + rows,
                     "/* size: table - */\n" + rows, "701 lines")

    def test_function(self):
        self.refuses(sizes, "src/io/a.c", function(77), function(78), "gh_f has 81 lines")

    def test_parameters(self):
        self.refuses(sizes, "src/io/a.c", function(parameters=8), function(parameters=9), "9 parameters")
        self.refuses(sizes, "src/io/a.h", "void gh_g(int a, int b, void (*c)(int, int, int, int, int, int, int, int));\n",
                     "int a;\nvoid gh_g(int a, int b, int c, int d, int e,\n int f, int g, int h, int i);\n", "a.h:2: gh_g")

    def test_nesting_without_braces(self):
        self.refuses(sizes, "src/io/a.c", function(body=nested(4)), function(body=nested(5)), "nests 5 deep")

    def test_nesting_with_braces_and_loops(self):
        head = "    switch (p0) {\n    case 1:\n        GH_LIST_EACH(n, h) {\n            while (p0) {\n"
        tail = "            }\n        }\n        break;\n    default: work();\n    }\n"
        good = head + "                if (p0) { work(); } else if (p0 > 1) { work(); } else { work(); }\n" + tail
        bad = head + "                if (p0) { work(); } else { if (p0 > 1) work(); }\n" + tail
        self.refuses(sizes, "src/io/a.c", function(body=good), function(body=bad), "nests 5 deep")

    def test_braces_in_text_do_not_count(self):
        body = '    char c = \'{\'; /* { */ puts("{{{"); // {\n' + "    struct s v = { .a = { 1, { 2 } } };\n"
        self.assertEqual(self.found(sizes, "src/io/a.c", function(body=body) + function(78)),
                         ["src/io/a.c:6: gh_f has 81 lines"])

    def test_python_function(self):
        self.refuses(sizes, "tests/a.py", "def f():\n" + "    g()\n" * 79, "def f():\n" + "    g()\n" * 80, "81 lines")


class Reasons(Lint):
    def setUp(self):
        super().setUp()
        self.write("include/gatehouse/reason.h", REASON)
        self.write("docs/reasons.md", DOCUMENT)
        self.write("tests/tables/a.cases", CASES)

    def test_row_without_line(self):
        self.refuses(reasons, "docs/reasons.md", DOCUMENT, DOCUMENT.replace("| `ok` | 200 |\n", ""), '"ok" has no line')

    def test_line_with_wrong_status(self):
        self.refuses(reasons, "docs/reasons.md", DOCUMENT, DOCUMENT.replace("401", "403"), "status 403")

    def test_line_without_row(self):
        self.refuses(reasons, "docs/reasons.md", DOCUMENT, DOCUMENT + "| `gone` | 410 |\n", "`gone` is no reason")

    def test_row_without_case(self):
        self.refuses(reasons, "tests/tables/a.cases", CASES, "# reason: ok\n", '"token_expired" has no case')

    def test_assertion_counts_as_case(self):
        self.write("tests/integration/test_a.py", 'gateway.expect(answer, reason="token_expired")\n')
        self.assertEqual(self.found(reasons, "tests/tables/a.cases", "# reason: ok\n"), [])

    def test_mark_without_row(self):
        self.refuses(reasons, "tests/tables/a.cases", CASES, CASES + "# reason: token_stale\n", "token_stale")

    def test_slug_is_the_id(self):
        bad = REASON.replace('"ok"', '"fine"')
        self.assertTrue(any('slug "fine" of OK' in f for f in self.found(reasons, "include/gatehouse/reason.h", bad)))

    def test_unreadable_row(self):
        bad = REASON.rstrip() + ' \\\n    X(ODD, ODD_SLUG, 400, NULL, NULL)\n'
        self.assertTrue(any("cannot be read" in f for f in self.found(reasons, "include/gatehouse/reason.h", bad)))


class Threats(Lint):
    """The small tree's model has one family of two rows."""

    def setUp(self):
        super().setUp()
        self.whole = threats.FAMILIES
        threats.FAMILIES = {"J": 2}
        self.write("tests/integration/test_a.py", "def test_none(gateway):\n    pass\n")
        self.write("tests/unit/test_a.c", "static void twins_are_refused(void **state)\n{\n}\n")
        self.good = ("| J1 | none | `tests/integration/test_a.py::test_none`, `tests/unit/test_a.c::twins_are_refused` |\n"
                     "| J2 | twins | later: revocation |\n")

    def tearDown(self):
        threats.FAMILIES = self.whole
        super().tearDown()

    def test_references(self):
        for bad, expected in ((self.good.replace("test_none", "test_nothing"), "no test_nothing"),
                              (self.good.replace("twins_are", "twins_were"), "no twins_were"),
                              (self.good.replace("integration/test_a", "integration/test_b"), "is no file"),
                              (self.good.replace("later: revocation", "soon"), "J2 names no test")):
            self.refuses(threats, threats.DOCUMENT, self.good, bad, expected)

    def test_each_row_once(self):
        self.refuses(threats, threats.DOCUMENT, self.good, self.good.splitlines()[0] + "\n", "J2 is missing")
        self.refuses(threats, threats.DOCUMENT, self.good, self.good + self.good.splitlines()[1] + "\n", "row J2")
        self.refuses(threats, threats.DOCUMENT, self.good, self.good + "| Y9 | new | later: never |\n", "row Y9")


class Fuzz(Lint):
    def setUp(self):
        super().setUp()
        self.write("src/core/a.c", "/* core/a.c: one reader of outside bytes. */\nint read_it(void);\nint x = 1;\nint y = 2;\n")
        self.write("tests/fuzz/corpus/a/seed", "a")
        self.target = "/* Fuzzes a. */\n/* covers: src/core/a.c without read_it */\n"
        self.patch = "--- a/src/core/a.c\n+++ b/src/core/a.c\n@@ -3,2 +3,2 @@\n-int x = 1;\n+int x = 2;\n int y = 2;\n"
        self.write("tests/fuzz/planted/a.patch", self.patch)

    def test_target(self):
        for bad, expected in (("/* Fuzzes a. */\n", "covers nothing"), (self.target + 40 * "\n", "42 lines"),
                              (self.target.replace("a.c without", "b.c without"), "covers src/core/b.c"),
                              (self.target.replace("read_it", "read_that"), "has no read_that")):
            self.refuses(fuzz, "tests/fuzz/fuzz_a.c", self.target, bad, expected)

    def test_patch(self):
        self.write("tests/fuzz/fuzz_a.c", self.target)
        for bad in (self.patch.replace("x = 1", "x = 3"), self.patch.replace("a/src/core/a.c", "a/src/core/b.c")):
            self.refuses(fuzz, "tests/fuzz/planted/a.patch", self.patch, bad, "planted/a.patch")

    def test_what_must_be_there(self):
        self.assertEqual([f.split(": ")[1] for f in self.found(fuzz, "tests/fuzz/fuzz_b.c", self.target)], ["no seeds", "no planted bug"])


class Citations(Lint):
    def test_forms(self):
        good = "/* RFC 9728 section 5.1: \"...\", RFC 7515 appendix A.1, RFC 8725, rfc7797/a.json, RFC 5952 sections 4.2 and 4.3, RFC 6750\n * section 2.1 */\n"
        for odd in ("RFC9728 section 5.1", "rfc 9728 section 5", "RFC 9728 §5.1", "RFC 9728 Section 5", "RFC 9728, section 5",
                    "RFC 9728 5.1", "RFC 9728 sec. 5", "section 5.1 of RFC 9728", "RFC-9728"):
            self.refuses(citations, "src/io/a.c", good, good + f"/* {odd} */\n", "a.c:3")


class FirstLine(Lint):
    def test_each_kind(self):
        for path, mark, end in (("src/io/a.c", "/* ", " */"), ("src/io/a.h", "/* ", " */"), ("tests/a.py", '"""', '"""'),
                                ("deploy/a.sh", "#!/bin/sh\n# ", ""), ("src/io/meson.build", "# ", ""), ("tests/a.mjs", "// ", "")):
            good = f"{mark}what one finds in here and why{end}\n"
            self.refuses(firstline, path, good, "int a;\n" + good, "no comment")
            self.refuses(firstline, path, good, f"{mark}a.c{end}\n", "too little")

    def test_name_is_its_own(self):
        self.refuses(firstline, "src/io/a.c", "/* io/a.c: moves bytes to the peer. */\n", "/* io/b.c: moves bytes to the peer. */\n",
                     "calls itself io/b.c")


class Words(Lint):
    def test_unfinished(self):
        for word in ("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"):
            self.refuses(words, "src/io/a.c", f"/* {word} #12: later */\n", f"/* {word}: later */\n", word)

    def test_machine(self):
        for path in ("/ho" "me/alice/x", "/Us" "ers/bob/x", "/wo" "rk/main/x", "/ro" "ot/x"):
            self.refuses(words, "docs/a.md", "see ../shared/x, /usr/bin/x, /etc/x, https://a.example/work/x\n", f"see {path}\n", path)


class Format(Lint):
    def test_format(self):
        script = os.path.join(HERE, "format.sh")
        with open(os.path.join(HERE, "..", "..", ".clang-format"), encoding="utf-8") as file:
            self.write(".clang-format", file.read())
        for text, status in (("int gh_a(int b);\n", 0), ("int  gh_a( int b );\n", 1)):
            self.write("src/io/a.h", text)
            run = subprocess.run([script], env={**os.environ, "GH_LINT_ROOT": self.root}, capture_output=True, text=True)
            self.assertEqual(run.returncode != 0, bool(status), run.stderr)


if __name__ == "__main__":
    unittest.main()

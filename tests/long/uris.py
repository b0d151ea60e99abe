#!/usr/bin/env python3
"""URIS=1000000 URIs in all their spellings: of those that rules compare no two name the same in Node, Python or Go. SEED=N plays a run again."""
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import Report  # noqa: E402
from readers import commands, lines_of  # noqa: E402

URIS = int(os.environ.get("URIS", "1000000"))
# Each row holds spellings that some readers take for one another, the plainest first.
SCHEMES = [["file:", "FILE:", "file:"], ["http:", "Http:"], ["https:", "HTTPS:"], ["ftp:"], ["ws:"], ["x:", "X:"], ["urn:"], ["a+b:"]]
SLASHES = ["//", "//", "//", "//", "/", "", "///", "////", "\\\\", "/\\"]
HOSTS = [[""], ["h.example", "H.example", "h.example.", "%68.example", "h%2Eexample", "h.ex\u00e4mple", "\uff48.example", "h\u00ad.example"],
         ["10.0.0.1", "10.0.0.01", "10.0.1", "167772161", "0x0a000001", "0xA.0.0.1", "012.0.0.1", "10.0.0.1.", "10.0.0.%31"], ["[::1]", "[0:0::1]"], ["localhost", "LOCALHOST"],
         ["a_b-c.0x.example"]]
USERS = [""] * 12 + ["@", "u@", "u:p@", ":@"]
PORTS = [""] * 12 + [":", ":80", ":443", ":21", ":8080", ":08080", ":0", ":99999", ":8x"]
SEGMENTS = [["a", "%61", "a", "A"], ["b c", "b%20c", "b+c"], [".", "%2e", "%2E"], ["..", ".%2e", "%2E."], [""], ["\u00e4", "%C3%A4", "%c3%a4"], ["a%2Fb", "a/b", "a%5Cb", "a\\b"], ["(", "%28"], ["[", "%5B"],
            ["{", "%7B"], ["'", "%27"], ["a;b", "a%3Bb"], ["~", "%7E"], ["%25", "%", "%2525"], ["%3F", "?"], ["%23", "#"], ["C:", "c:", "C|"], ["\t", "a\tb"], ["a ", " a", "a%20"], ["*"], ["|", "%7C"], ["%00"], ["&", "%26"]]
QUERIES = [[""]] * 6 + [["?"], ["?c=d", "?c=%64"], ["?c=a+b", "?c=a%20b", "?c=a b"], ["?c=a?b", "?c=a%3Fb"], ["?c='", "?c=%27"], ["?c=/..", "?c=%2F.."], ["?c=\u00e4", "?c=%C3%A4"], ["?c=%5B", "?c=["]]
FRAGMENTS = [""] * 12 + ["#", "#f"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def spelling(self, rows):
        row = self.random.choice(rows)
        return row[0] if self.random.randrange(3) else self.random.choice(row)

    def uri(self):
        pick = self.random.choice
        path = "/".join(self.spelling(SEGMENTS) for _ in range(self.random.randrange(4)))
        lead = pick(["/", "/", "/", "", "//"])
        return "".join([self.spelling(SCHEMES), pick(SLASHES), pick(USERS), self.spelling(HOSTS), pick(PORTS), lead, path, pick(["", "", "", "/"]), self.spelling(QUERIES), pick(FRAGMENTS)])


def twins_of(uris, named):
    """Pairs of different URIs that the reader takes for one."""
    first = {}
    return [(first[name], uri) for uri, name in zip(uris, named) if name != "-" and first.setdefault(name, uri) != uri]


def main():
    report, seed = Report(), int(os.environ.get("SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"seed {seed}", flush=True)
    maker, judge = Maker(seed), os.path.join(os.path.dirname(os.environ["GATEHOUSE"]), "tests", "readers-uris")
    with tempfile.TemporaryDirectory(prefix="gatehouse-uris-") as folder:
        path = os.path.join(folder, "uris")

        def ask(command, uris):
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(uri + "\n" for uri in uris)
            answers = lines_of(command, path)
            assert len(answers) == len(uris)
            return answers

        uris = sorted({maker.uri() for _ in range(URIS)})
        plain = [uri for uri, verdict in zip(uris, ask([judge], uris)) if verdict == "plain"]
        for name, command in commands(folder, "uris").items():
            all_named = [one.removeprefix("!") for one in ask(command, uris)]
            named = ask(command, plain)
            twins, respelled = twins_of(plain, named), [uri for uri, one in zip(plain, named) if one.startswith("!")]
            report.say(not twins and not respelled, f"{name} reads {sum(one != '-' for one in named)} of the {len(plain)} plain ones of {len(uris)} URIs, no two as one",
                       f"{len(twins)} twins, such as {twins[:3]}; {len(respelled)} respelled, such as {respelled[:3]}")
            report.say(len(twins_of(uris, all_named)) > len(uris) // 100, f"{name} takes {len(twins_of(uris, all_named))} of all for another one: there was something to be found")
    report.say(len(plain) > len(uris) // 100, f"{len(plain)} are plain")
    return report.status()


if __name__ == "__main__":
    sys.exit(main())

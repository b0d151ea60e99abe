#!/usr/bin/env python3
"""BODIES=1000000 bodies that try to be two things: what our scanner lets pass, readers in Node, Python and Go read as it does.

They are calls with members twice, with twins by letter case, escapes, other encodings, odd numbers, broken bytes; and what rules read of
their arguments is what the readers find there. SEED=N plays a run again."""
import collections
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from parts import Report  # noqa: E402

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "readers")
BODIES, BATCH = int(os.environ.get("BODIES", "1000000")), 100000
METHODS = ["tools/call", "tools/call", "tools/call", "prompts/get", "resources/read", "completion/complete", "ping", "tools/list", "x"]
NAMES = ["get", "put", "Get", "g\u00e9t", "", "get ", "\u017fum", "a\U0001f600"]
ODD = ["1e400", "-0", "1.0", "123456789012345678901234567890", "01", "NaN", "null", "true", "[]", "{}", '"x"', "[1,[2,{\"a\":1,\"a\":2}]]", '"\\u0000"', '"\\ud800"']


AMOUNTS = ["1", "100", "1e2", "100.0000000000000001", "100.00000000000001", '"5"', "[5]", "true", "-0", "0.1", "1E-2", "9007199254740993", "99.99", "null", "{}", "1e400"]
ACCOUNTS = ["main/a", "test/b", "main/../test", "", "m\u00e4in"]

SOUND = ["1", "-0", "1.0", "1e400", "true", "[]", '"x"', '{"name":1,"Name":2}', "[[1,2]]"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, one_in):
        return self.random.randrange(one_in) == 0

    def key(self, name):
        """The name of a member, mostly as it is, else in other letters or with escapes."""
        roll = self.random.randrange(160)
        if roll == 0:
            name = name.upper()
        elif roll == 1:
            name = name.capitalize()
        elif roll == 2:
            name = name.replace("s", "\u017f", 1).replace("k", "\u212a", 1)
        elif roll == 3:
            name += self.random.choice(["\u0000", " ", "x"])
        return self.text(name)

    def text(self, value):
        if self.chance(6):
            return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 and self.chance(3) else json.dumps(c, ensure_ascii=False)[1:-1] for c in value) + '"'
        return json.dumps(value, ensure_ascii=self.chance(3))

    def space(self):
        return self.random.choice([" ", "\n", "\t", "\r\n", "\f" if self.chance(60) else " "]) if self.chance(5) else ""

    def object(self, members):
        members = [one for one in members if not self.chance(40)]
        if members and self.chance(20):
            members.append(self.random.choice(members))  # twice; its value below may be another one
        if self.chance(3):
            self.random.shuffle(members)
        return "{" + ",".join(self.space() + self.key(name) + self.space() + ":" + self.space() + make() for name, make in members) + self.space() + "}"

    def odd(self):
        return self.random.choice(ODD if self.chance(3) else SOUND)

    def name(self):
        return self.odd() if self.chance(60) else self.text(self.random.choice(NAMES))

    def free(self):
        return self.object([(self.random.choice(["name", "Name", "method", "a", "b"]), self.odd) for _ in range(self.random.randrange(4))])

    def account(self):
        return self.odd() if self.chance(30) else self.text(self.random.choice(ACCOUNTS))

    def to(self):
        inner = [self.object([("account", self.account), ("name", self.odd)]) for _ in range(self.random.randrange(3))]
        return "[" + ",".join(inner) + "]" if not self.chance(20) else self.object([("0", lambda: inner[0] if inner else "1")])

    def arguments(self):
        if self.chance(3):
            return self.free()
        return self.object([("amount", lambda: self.random.choice(AMOUNTS)), ("to", self.to), (self.random.choice(["a", "Amounts", "name"]), self.odd)])

    def ref(self):
        kind = self.random.choice(["ref/prompt", "ref/resource", "ref/x"])
        return self.object([("type", lambda: self.text(kind)), ("name", self.name), ("uri", self.name)])

    def params(self):
        if self.chance(20):
            return self.odd()
        return self.object([("name", self.name), ("arguments", self.arguments), ("uri", self.name), ("ref", self.ref), ("_meta", self.free)])

    def message(self):
        return self.object([("jsonrpc", lambda: '"2.0"'), ("id", lambda: self.odd() if self.chance(20) else "1"),
                            ("method", lambda: self.odd() if self.chance(60) else self.text(self.random.choice(METHODS))), ("params", self.params)])

    def body(self):
        text = self.message()
        if self.chance(40):
            text = self.random.choice(["[" + text + "]", text + text, text + "//", "\ufeff" + text, text + "\0", text[:-1], text + ","])
        body = text.encode(self.random.choice(["utf-16", "utf-32-le", "utf-8-sig"]) if self.chance(60) else "utf-8", "surrogatepass")
        if self.chance(20) and body:
            at = self.random.randrange(len(body))
            body = body[:at] + bytes([self.random.randrange(256)]) + body[at + self.random.randrange(2):]
        return body


def alike(ours, its):
    """Of an argument. "?" is a number that no rule judges, or what the reader cannot take; Go has one word for null and nothing."""
    return "?" in (ours, its) or ours == its or (ours, its) == ("-", "z")


def differs(ours, theirs):
    """Does the reader do something else than we let pass? It may refuse, and need not look at what a method does not name."""
    if ours.startswith("refused") or theirs == "-":
        return False
    method, kind, name, *values = ours.split()
    its_method, *names, amount, account = theirs.split()
    if its_method != method or kind == "tool" and not all(map(alike, values, (amount, account))):
        return True
    plain, uri, ref_type, ref_name, ref_uri = names
    by_ref = method == "completion/complete".encode().hex() + "."
    if by_ref:
        expected = {"prompt": "ref/prompt", "resource": "ref/resource"}[kind].encode().hex() + "."
        return ref_type != expected or (ref_name if kind == "prompt" else ref_uri) != name
    if method == b"subscriptions/listen".hex() + ".":
        return False
    return {"tool": plain, "prompt": plain, "resource": uri}.get(kind, name) != name


def commands(folder, program="read"):
    """name -> the command of the reader"""
    go = os.path.join(folder, f"{program}-go")
    subprocess.run(["go", "build", "-o", go, os.path.join(HERE, f"{program}.go")], check=True, cwd=folder,
                   env={**os.environ, "GO111MODULE": "off", "GOCACHE": os.path.join(folder, "go")})
    return {"Node": [shutil.which("node"), os.path.join(HERE, f"{program}.mjs")], "Python": [sys.executable, os.path.join(HERE, f"{program}.py")], "Go": [go]}


def lines_of(command, path):
    return subprocess.run([*command, path], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def main():
    report, seed = Report(), int(os.environ.get("SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"seed {seed}", flush=True)
    maker, verdicts, wrong, read = Maker(seed), collections.Counter(), collections.defaultdict(list), collections.Counter()
    split = 0  # bodies of which two readers make two things
    judge = os.path.join(os.path.dirname(os.environ["GATEHOUSE"]), "tests", "readers-judge")
    with tempfile.TemporaryDirectory(prefix="gatehouse-readers-") as folder:
        readers, path = commands(folder), os.path.join(folder, "bodies")
        for first in range(0, BODIES, BATCH):
            bodies = [maker.body() for _ in range(min(BATCH, BODIES - first))]
            with open(path, "wb") as file:
                file.writelines(struct.pack("<I", len(body)) + body for body in bodies)
            ours = lines_of([judge], path)
            assert len(ours) == len(bodies)
            verdicts.update(line if line.startswith("refused") else "passed" for line in ours)
            all_of = {name: lines_of(command, path) for name, command in readers.items()}
            for name, theirs in all_of.items():
                assert len(theirs) == len(bodies), name
                read[name] += sum(its != "-" for its in theirs)
                wrong[name] += [(body, our, its) for body, our, its in zip(bodies, ours, theirs) if differs(our, its)]
            split += sum(len(set(each) - {"-"}) > 1 for each in zip(*all_of.values()))
    for name in readers:
        report.say(not wrong[name], f"{name} read {read[name]} of {BODIES} bodies; of the {verdicts['passed']} that passed none as another call",
                   f"{len(wrong[name])}, such as {wrong[name][:2]}")
    report.say(split > BODIES // 1000, f"the readers disagree about {split} bodies among themselves: there was something to be found")
    report.say(all(verdicts[f"refused rpc_{kind}"] > BODIES // 1000 for kind in ("json", "duplicate", "message")) and verdicts["passed"] > BODIES // 20,
               f"each verdict was reached: {dict(verdicts)}")
    return report.status()


if __name__ == "__main__":
    sys.exit(main())

"""What README.md and docs/ show: settings files, whole or in parts, command lines, links, names of reasons and files."""
import glob
import os
import re
from dataclasses import dataclass

import yaml

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
# Written by the program itself: a unit test compares them.
GENERATED = ("docs/settings.md", "docs/reasons.md")


def pages():
    found = ["README.md"] + glob.glob("docs/**/*.md", root_dir=ROOT, recursive=True)
    return sorted(page for page in found if page not in GENERATED)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


@dataclass
class Settings:
    """A settings file as a page shows it; of a part, what it makes of the whole file above it."""
    name: str  # page:line
    text: str

    @property
    def says(self):
        return yaml.safe_load(self.text)


def by_key(text):
    """Top-level key -> its lines."""
    parts = re.split(r"(?m)^(?=\w)", text)
    return {part.split(":", 1)[0]: part for part in parts if part[:1].isalpha()}


def settings_of(page):
    found, above = [], {}
    text = read(page)
    for block in re.finditer(r"^```yaml\n(.*?)^```$", text, re.M | re.S):
        keys = by_key(block.group(1))
        above = keys if "tenants" in keys else {**above, **keys}
        whole = block.group(1) if "tenants" in keys else "".join(above.values())
        found.append(Settings(f"{page}:{text.count(chr(10), 0, block.start()) + 1}", whole))
        if "tenants" not in keys:
            above = by_key(found[-1].text)
    return found


def examples():
    """The files of config/ and all that the pages show."""
    files = sorted(glob.glob("config/*.yaml", root_dir=ROOT))
    return [Settings(path, read(path)) for path in files] + [one for page in pages() for one in settings_of(page)]


def commands():
    """(place, words) of each command line of the binary, in code spans and code blocks."""
    found = []
    for page in pages() + list(GENERATED):
        for number, line in enumerate(read(page).splitlines(), 1):
            lines = [re.sub(r"^(?:\$ )?(?:build/)?", "", line.strip())] if line.startswith("    ") else []
            for shown in lines + re.findall(r"`([^`]+)`", line):
                if re.match(r"gatehouse( |$)", shown):
                    found.append((f"{page}:{number}", re.split(r"\s+[#<>|]", shown)[0].split()[1:]))
    return found


def anchor(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def broken_links():
    broken = []
    for page in pages():
        for target, _, mark in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]*))?\)", read(page)):
            path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
            if not os.path.exists(os.path.join(ROOT, path)):
                broken.append(f"{page}: {target}")
            elif mark and mark not in [anchor(heading) for heading in re.findall(r"^#+ (.*)$", read(path), re.M)]:
                broken.append(f"{page}: {target}#{mark}")
    return broken


def missing_files():
    """Paths in code spans that lead nowhere."""
    missing = []
    for page in pages():
        for path in re.findall(r"`((?:src|include|tests|docs|config|deploy|bench)/[\w./-]*\w)/?`", read(page)):
            if not os.path.exists(os.path.join(ROOT, path)):
                missing.append(f"{page}: {path}")
    return missing


def reasons():
    """(page, slug) of each row of a table of reasons."""
    found = []
    for page in pages():
        for table in re.findall(r"^\| reason[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", read(page), re.M):
            found += [(page, slug) for row in table.splitlines() for slug in re.findall(r"`(\w+)`", row.split("|")[1])]
    return found

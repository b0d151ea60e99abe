"""deploy/monitoring/: its rules and its board ask for metrics, labels and reasons that exist, and its alerts stand in docs/operations.md."""
import json
import os
import re

import pytest
import yaml

from support import pages

FOLDER = os.path.join("deploy", "monitoring")
NAME = r"gatehouse_\w+"
SELECTOR = re.compile(rf"({NAME})(?:\{{([^}}]*)\}})?")
MATCHER = re.compile(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"')
OF_PROMETHEUS = {"job", "instance"}


def rules():
    (group,) = yaml.safe_load(pages.read(os.path.join(FOLDER, "gatehouse.rules.yaml")))["groups"]
    return group["rules"]


def board():
    return json.loads(pages.read(os.path.join(FOLDER, "grafana.json")))


def questions():
    """(what asks, expression) of every rule, panel, variable and annotation."""
    shown = board()
    found = [(rule["alert"], rule["expr"]) for rule in rules()]
    found += [(panel["title"], target["expr"]) for panel in shown["panels"] for target in panel.get("targets", [])]
    found += [(one["name"], one["definition"]) for one in shown["templating"]["list"] if one["type"] == "query"]
    return found + [(one["name"], one["expr"]) for one in shown["annotations"]["list"]]


QUESTIONS = questions()


def slugs():
    return re.findall(r"^\| `(\w+)` \|", pages.read("docs/reasons.md"), re.M)


@pytest.fixture
def exposed(site):
    """Metric -> names of its labels, of a gateway with a store that has let one request in and refused another."""
    site.settings["store"] = {"url": "sqlite:gatehouse.db"}
    site.start()
    site.refused(site.post(site.issuer.token(aud="https://elsewhere.example/mcp")), 401, reason="token_audience", good=site.post())
    found = {}
    for line in site.admin("/metrics")[1].splitlines():
        sample = re.match(rf"({NAME})(?:\{{(.*)\}})? ", line)
        if sample:
            found.setdefault(sample[1], set()).update(re.findall(r'(\w+)="', sample[2] or ""))
        family = re.match(rf"# TYPE ({NAME}) ", line)
        if family:
            found.setdefault(family[1], set())
    assert found["gatehouse_requests_total"] == {"tenant", "route", "reason"}
    return found


def test_what_they_ask_for_exists(exposed):
    asked = set()
    for what, expression in QUESTIONS:
        names = SELECTOR.findall(expression)
        assert names or expression.startswith(("up{", "sum(up{")), what
        for name, matchers in names:
            assert name in exposed, f"{what}: {name}"
            asked.add(name.removesuffix("_bucket"))
            unknown = {label for label, _ in MATCHER.findall(matchers)} - exposed[name] - OF_PROMETHEUS
            assert not unknown, f"{what}: {name} has no label {unknown}"
    # The other way round: whatever is exposed is looked at.
    families = {name for name in exposed if not re.search(r"_(bucket|sum|count)$", name)}
    assert families == asked, families ^ asked


def test_labels_that_they_group_by_and_show_exist(exposed):
    known = set().union(*exposed.values()) | OF_PROMETHEUS | {"le"}
    named = {label for _, text in QUESTIONS for group in re.findall(r"by \(([^)]*)\)", text) for label in re.split(r", *", group)}
    legends = [target["legendFormat"] for panel in board()["panels"] for target in panel.get("targets", [])]
    notes = [text for rule in rules() for text in rule["annotations"].values()]
    named |= {label for text in legends for label in re.findall(r"\{\{(\w+)\}\}", text)}
    named |= {label for text in notes for label in re.findall(r"\$labels\.(\w+)", text)}
    assert named and named <= known, named - known


def test_reasons_that_they_name_exist():
    found = [(what, pattern) for what, expression in QUESTIONS for label, pattern in MATCHER.findall(expression) if label == "reason"]
    assert len(found) >= 10
    for what, pattern in found:
        for part in pattern.split("|"):
            assert any(re.fullmatch(part, slug) for slug in slugs()), f"{what}: {part}"


def test_alerts_stand_in_the_operators_guide():
    section = pages.read("docs/operations.md").split("## Monitoring\n", 1)[1].split("\n## ", 1)[0]
    described = re.findall(r"^\| `(Gatehouse\w+)` \| (page|ticket) \|", section, re.M)
    assert described == [(rule["alert"], rule["labels"]["severity"]) for rule in rules()]
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]


def test_the_board_is_one_that_grafana_draws():
    panels = board()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            variables = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
            assert variables <= {one["name"] for one in board()["templating"]["list"]}, panel["title"]
    counters = [expression for _, expression in QUESTIONS if re.search(rf"{NAME}_total", expression)]
    for expression in counters:  # a counter is only read by its growth
        assert len(re.findall(rf"(?:rate|increase|changes)\({NAME}_(?:total)", expression)) == len(re.findall(rf"{NAME}_total", expression))

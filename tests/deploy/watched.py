"""What deploy/ looks at: the expressions of alerts and dashboards, and the series that they name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

from tests.deploy.image import DEPLOY


def expressions() -> Iterator[tuple[str, str]]:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    for rule in rules["groups"][0]["rules"]:
        yield rule["alert"], rule["expr"]
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "mcp.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        yield variable["name"], variable["query"]["query"]


def series_of(expression: str) -> set[str]:
    """The names of series in an expression of PromQL."""
    return set(re.findall(r"\b((?:mcp|process)_[a-z_]+|up)\b(?!\()", expression))

"""Read manifests, whatever kind they are, and hold them against the rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labkit.deploy.images import judge_compose, judge_dockerfile
from labkit.deploy.kubernetes import Object, judge
from labkit.deploy.nginx import judge_nginx
from labkit.deploy.reading import table
from labkit.deploy.rules import DeployError, Finding
from labkit.deploy.systemd import judge_unit


def check_path(path: str | Path) -> list[Finding]:
    """All findings in a file, or in all Dockerfiles, Compose files, Kubernetes objects, nginx.conf and systemd units
    below a folder.

    Raises DeployError when there is none of these, or one cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise DeployError(f"There is no {path}: name a manifest, or a folder with some.")
    folder = path if path.is_dir() else path.parent
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    texts: dict[str, str] = {}
    for each in files:
        if _may_be(each.name):
            try:
                texts[each.relative_to(folder).as_posix()] = each.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise DeployError(f"Cannot read {each}: {error}. Is it a text?") from error
    kinds = {name: kind_of(name, text) for name, text in texts.items()}
    if not any(kinds.values()):
        raise DeployError(f"{path} has no Dockerfile, Compose file, Kubernetes object, nginx.conf or systemd unit.")
    return check_files({name: text for name, text in texts.items() if kinds[name]})


def check_text(text: str, name: str = "manifest.yaml") -> list[Finding]:
    """All findings in one text; its name tells a Dockerfile, nginx.conf or .service from YAML. Raises DeployError."""
    return check_files({name: text})


def check_files(files: Mapping[str, str]) -> list[Finding]:
    """All findings in these files (name -> text), in their order. Kubernetes objects are judged together."""
    findings: list[Finding] = []
    objects: list[Object] = []
    for name, text in files.items():
        kind = kind_of(name, text)
        if kind == "dockerfile":
            findings += _named(name, judge_dockerfile(text))
        elif kind == "nginx":
            findings += _named(name, judge_nginx(text))
        elif kind == "systemd":
            findings += _named(name, judge_unit(text))
        elif kind == "compose":
            findings += _named(name, judge_compose(documents(name, text)[0]))
        elif kind == "kubernetes":
            objects += [Object(name, each) for each in documents(name, text)]
        else:
            raise DeployError(f"{name} is no Dockerfile, Compose, Kubernetes or nginx file or unit that is known.")
    return [*findings, *judge(objects)]


def kind_of(name: str, text: str) -> str:
    """ "dockerfile", "nginx", "systemd", "compose", "kubernetes", or "" for none of these. Raises DeployError."""
    last = name.rpartition("/")[2]
    if last.startswith("Dockerfile") or last.endswith(".Dockerfile"):
        return "dockerfile"
    if last.endswith(".service"):
        return "systemd"
    if last.endswith(".conf"):
        return "nginx" if re.search(r"\bproxy_pass\b", text) else ""
    found = documents(name, text) if last.endswith((".yaml", ".yml")) else []
    if found and all("kind" in each and "apiVersion" in each for each in found):
        return "kubernetes"
    return "compose" if len(found) == 1 and "services" in found[0] else ""


def documents(name: str, text: str) -> list[dict[str, Any]]:
    """The mappings of a YAML file. Raises DeployError."""
    import yaml  # not when an entry point loads this package

    try:
        read: list[Any] = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise DeployError(f"{name} is no YAML: {' '.join(str(error).split())}. Mend that first.") from error
    return [table(each) for each in read if isinstance(each, dict)]


def _may_be(name: str) -> bool:
    return "Dockerfile" in name or name.endswith((".yaml", ".yml", ".conf", ".service"))


def _named(name: str, findings: Iterable[Finding]) -> list[Finding]:
    return [Finding(each.rule, name, each.where, each.message) for each in findings]

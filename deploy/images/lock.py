"""Cut out requirements.lock of the images: the part of the lab's own lock that they need, pins and hashes as they are.

    python deploy/images/lock.py

A learner's environment has JupyterLab and test tools; an image has a few dozen packages. One lock for both would carry
all of it into production, two independent ones would drift: this one is cut out, and a test compares.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent
LAB = HERE.parents[1]
IMAGE = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.12.11",
    "python_version": "3.12",
    "sys_platform": "linux",
}


def wanted(lines: list[str]) -> set[str]:
    """The names of all packages that these requirements bring, in the image's environment."""
    names: set[str] = set()
    seen: set[tuple[str, str]] = set()
    todo = [(each, extra) for each in map(Requirement, lines) for extra in ("", *each.extras)]
    while todo:
        each, extra = todo.pop()
        name = canonicalize_name(each.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        names.add(name)
        try:
            below = map(Requirement, requires(each.name) or [])
        except PackageNotFoundError:
            continue  # not on this machine; its own needs are in the lock all the same, or pip says what is missing
        for needed in below:
            if needed.marker is None or needed.marker.evaluate({**IMAGE, "extra": extra}):
                todo += [(needed, one) for one in ("", *needed.extras)]
    return names


def locked() -> str:
    """The text of requirements.lock."""
    lines = (HERE / "requirements.in").read_text(encoding="utf-8").splitlines()
    names = wanted([line for line in lines if line and not line.startswith("#")])
    blocks = re.split(r"^(?=\S)", (LAB / "requirements.lock").read_text(encoding="utf-8"), flags=re.M)
    chosen = [block for block in blocks if canonicalize_name(re.split(r"[=\[]", block)[0]) in names]
    return "".join(block if block.endswith("\n") else block + "\n" for block in chosen)


if __name__ == "__main__":
    (HERE / "requirements.lock").write_text(locked(), encoding="utf-8", newline="\n")

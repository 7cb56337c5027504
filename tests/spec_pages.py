"""The pages of the specification and their headings, kept in spec_pages.json, so that every reference can be checked offline.

python -m tests.spec_pages GIT_DIR      # writes it anew from a clone of modelcontextprotocol/modelcontextprotocol
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

KEPT = Path(__file__).with_name("spec_pages.json")
ROOTS = {
    "docs/specification/{}/": "",
    "docs/docs/{}/tutorials/security/": "tutorials/security/",
}
REVISION = re.compile(r"docs/(?:specification|docs)/(\d{4}-\d{2}-\d{2})/")


def pages() -> dict[str, dict[str, list[str]]]:
    """Revision -> page -> the anchors of its headings."""
    return json.loads(KEPT.read_text(encoding="utf-8"))


def anchor(heading: str) -> str:
    """What a heading's link ends with."""
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower().replace("`", "")).strip()).strip("_")


def main(git_dir: str) -> None:
    """Read all pages of all revisions."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", f"--git-dir={git_dir}", *arguments], check=True, capture_output=True, encoding="utf-8"
        ).stdout

    found: dict[str, dict[str, list[str]]] = {}
    for name in git("ls-tree", "-r", "--name-only", "HEAD").splitlines():
        match = REVISION.match(name)
        if not match or not name.endswith((".mdx", ".md")):
            continue
        for root, prefix in ROOTS.items():
            if name.startswith(root.format(match[1])):
                page = prefix + name.removeprefix(root.format(match[1])).rpartition(".")[0]
                text = re.sub(r"(?ms)^```.*?^```", "", git("show", f"HEAD:{name}"))
                found.setdefault(match[1], {})[page] = [anchor(h) for h in re.findall(r"(?m)^##+ (.+)$", text)]
    KEPT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])

"""Start one person's server, as that person: their own copies of the notebooks, then jupyterhub-singleuser.

Started by the hub. A notebook that they have is never replaced; new ones of the course are added.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

LAB = Path(__file__).resolve().parents[2]


def add_notebooks(course: Path, own: Path) -> int:
    """Copy what is not there yet from `course` to `own`; how many files that were."""
    added = 0
    for source in sorted(course.rglob("*")):
        target = own / source.relative_to(course)
        if source.is_file() and ".ipynb_checkpoints" not in source.parts and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)  # without the mode: the course's files are read-only
            added += 1
    return added


def main() -> None:
    """Prepare the folder and become the server."""
    work = Path(os.environ["LABKIT_WORK"])
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    add_notebooks(LAB / "notebooks", work.parent / "notebooks")
    os.chdir(work.parent)
    os.execv(sys.executable, [sys.executable, "-m", "jupyterhub.singleuser", *sys.argv[1:]])


if __name__ == "__main__":
    main()

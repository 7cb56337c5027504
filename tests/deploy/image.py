"""An image without Docker: the file system that a Dockerfile describes, its packages and no others, and its command.

A `COPY` is a copy, `/opt/packages` holds links to the packages that requirements.lock pins, and the command is started
with `python -S`, so that nothing else of this machine can be imported.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

from labkit.catalog import LAB_ROOT
from labkit.deploy.images import Stage, read_dockerfile

DEPLOY = LAB_ROOT / "deploy"
IMAGES = DEPLOY / "images"
SECONDS = 60


def stages(packaging: str) -> dict[str, Stage]:
    """The stages of a packaging's Dockerfile by name; the last one is "" as well."""
    read = read_dockerfile((IMAGES / f"{packaging}.Dockerfile").read_text(encoding="utf-8"))
    return {stage.name: stage for stage in read} | {"": read[-1]}


def build(stage: Stage, root: Path) -> Path:
    """Lay out the stage below `root`."""
    for sources, target, other in stage.copies:
        if other:
            continue  # from the stage that installs packages
        for source in sources:
            place = root / target.lstrip("/")
            if target.endswith("/"):
                place = place / Path(source).name
            place.parent.mkdir(parents=True, exist_ok=True)
            if (LAB_ROOT / source).is_dir():
                shutil.copytree(LAB_ROOT / source, place, dirs_exist_ok=True)
            else:
                shutil.copy2(LAB_ROOT / source, place)
    packages = root / "opt" / "packages"
    packages.mkdir(parents=True)
    for name in locked():
        for top, at in _tops(distribution(name)).items():
            if not (packages / top).exists():
                (packages / top).symlink_to(at, target_is_directory=at.is_dir())
    return root


def environment(stage: Stage, root: Path) -> dict[str, str]:
    """The environment of the stage, with its paths below `root` and loopback in place of every address."""
    paths = os.pathsep.join(str(root / part.lstrip("/")) for part in stage.env["PYTHONPATH"].split(":"))
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR") if name in os.environ}
    return kept | stage.env | {"PYTHONPATH": paths, "HOST": "127.0.0.1", "PORT": "0"}


def argv(command: list[str] | str) -> list[str]:
    """A command of the image for this machine's Python, without this machine's packages."""
    assert isinstance(command, list) and command[0] == "python"
    return [sys.executable, "-S", *command[1:]]


def locked() -> list[str]:
    """The packages that the images get."""
    text = (IMAGES / "requirements.lock").read_text(encoding="utf-8")
    return re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", text, re.M)


def start(stage: Stage, root: Path, extra: dict[str, str], log: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the stage's command; the process, and the URL that it says."""
    workdir = root / stage.workdir.lstrip("/")
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            argv(stage.command),
            cwd=workdir,
            env=environment(stage, root) | extra,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r'"url": "([^"]+)"', line)
    if found is None:
        process.kill()
        process.wait()
        raise AssertionError(f"{stage.command} did not start: {line}{log.read_text(encoding='utf-8')[-2000:]}")
    return process, found[1]


def end(process: subprocess.Popen[str]) -> int:
    """End it if it still runs, and the exit code."""
    if process.poll() is None:
        process.terminate()
    try:
        code = process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if process.stdout is not None:
        process.stdout.close()
    return code


def _tops(package: Distribution) -> dict[str, Path]:
    """What a package puts into site-packages itself, and where that is."""
    tops = {file.parts[0] for file in package.files or [] if file.parts[0] not in ("..", "__pycache__")}
    return {top: Path(str(package.locate_file(top))) for top in tops}

"""The configuration for a class is what it says, and two people's folders do not meet."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from labkit.catalog import LAB_ROOT

HUB = LAB_ROOT / "deploy" / "jupyterhub"


def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **environment: str) -> tuple[Config, dict[str, Any]]:
    """Run the file as JupyterHub does: with `get_config` in its names."""
    for name, value in ({"LAB_PEOPLE": str(tmp_path / "people")} | environment).items():
        monkeypatch.setenv(name, value)
    config, path = Config(), HUB / "jupyterhub_config.py"
    names: dict[str, Any] = {"get_config": lambda: config, "__file__": str(path), "__name__": "config"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return config, names


def spawner(name: str) -> Any:
    return SimpleNamespace(user=SimpleNamespace(name=name), notebook_dir="")


def test_limits_people_and_paths_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    c, _ = loaded(monkeypatch, tmp_path, LAB_LEARNERS="ada, bob", LAB_TEACHERS="eve", LAB_MEMORY="512M", LAB_CPU="0.5")
    assert c.Authenticator.allowed_users == {"ada", "bob", "eve"} and c.Authenticator.admin_users == {"eve"}
    assert (c.Spawner.mem_limit, c.Spawner.cpu_limit) == ("512M", 0.5)
    assert c.SystemdSpawner.readonly_paths == [str(LAB_ROOT)]
    assert c.JupyterHub.spawner_class.endswith("SystemdSpawner")
    assert Path(c.Spawner.cmd[1]).is_file() and Path(c.Spawner.environment["JUPYTER_CONFIG_PATH"], "labconfig").is_dir()
    assert (LAB_ROOT / c.Spawner.default_url.removeprefix("/lab/tree/")).is_file()
    assert "DATABASE_URL" not in c.Spawner.env_keep and "PATH" not in c.Spawner.env_keep


def test_by_default_nobody_may_come_and_an_unknown_spawner_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("LAB_LEARNERS", "LAB_TEACHERS"):
        monkeypatch.delenv(name, raising=False)
    c, _ = loaded(monkeypatch, tmp_path, LAB_SPAWNER="local")
    assert c.Authenticator.allowed_users == set() and "allow_all" not in c.Authenticator
    assert "SystemdSpawner" not in c
    with pytest.raises(SystemExit, match="it can be systemd or local"):
        loaded(monkeypatch, tmp_path, LAB_SPAWNER="docker")


def test_names_lead_to_folders_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    c, names = loaded(monkeypatch, tmp_path)
    people = ["ada", "Ada", "a/b", "a%2Fb", "a=2Fb", "..", ".", "../ada", "ada.", "björn"]
    folders = [names["folder_of"](name) for name in people]
    assert len(set(folders)) == len(people)
    assert all(folder.parent == tmp_path / "people" and folder.resolve() == folder for folder in folders)
    assert c.Spawner.environment["LABKIT_WORK"](spawner("..")) == str(folders[people.index("..")] / "work")


@pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")
def test_the_hub_makes_the_folder_and_nobody_else_can_read_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    owners: list[str] = []
    monkeypatch.setattr("shutil.chown", lambda path, user: owners.append(user))
    c, names = loaded(monkeypatch, tmp_path)
    ada = spawner("ada")
    c.Spawner.pre_spawn_hook(ada)
    c.Spawner.pre_spawn_hook(ada)
    assert ada.notebook_dir == str(names["folder_of"]("ada"))
    assert stat.S_IMODE(Path(ada.notebook_dir).stat().st_mode) == 0o700
    assert owners in ([], ["ada", "ada"])


def test_own_notebooks_are_never_replaced_and_new_ones_are_added(tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "start", "__file__": str(HUB / "start_person.py")}
    exec((HUB / "start_person.py").read_text(encoding="utf-8"), names)
    course, own = tmp_path / "course", tmp_path / "own"
    for file in ("start/00.ipynb", "protocol/01.ipynb"):
        (course / file).parent.mkdir(parents=True)
        (course / file).write_text("course", encoding="utf-8")
        (course / file).chmod(0o444)
    assert names["add_notebooks"](course, own) == 2
    (own / "start" / "00.ipynb").write_text("mine", encoding="utf-8")  # which a copied mode would not allow
    (own / "protocol" / "01.ipynb").unlink()
    assert names["add_notebooks"](course, own) == 1
    assert (own / "start" / "00.ipynb").read_text(encoding="utf-8") == "mine"


def test_the_work_of_two_people_does_not_meet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    c, _ = loaded(monkeypatch, tmp_path)
    code = (
        "import sys, labkit.catalog as c\nfrom labkit.grading.attempt import exercise\n"
        "from labkit.services.place import home\n"
        "opened = exercise('p1_mcp_basics', warm=False)\nopened.save(sys.argv[1])\n"
        "print(opened.path)\nprint(c.WORK / 'tests')\nprint(home())"
    )
    told: list[list[str]] = []
    for name in ("ada", "bob"):
        work = Path(c.Spawner.environment["LABKIT_WORK"](spawner(name)))
        work.mkdir(parents=True)
        environment = os.environ | {"LABKIT_WORK": str(work)}
        environment.pop("LAB_SERVICES", None)
        run = subprocess.run(
            [sys.executable, "-c", code, f"# {name}\n"],
            capture_output=True,
            encoding="utf-8",
            env=environment,
            timeout=60,
        )
        assert run.returncode == 0, run.stderr
        told.append(run.stdout.splitlines())
        assert all(Path(each).is_relative_to(work.resolve()) or Path(each).is_relative_to(work) for each in told[-1])
        assert (work / "p1_mcp_basics.py").read_text(encoding="utf-8") == f"# {name}\n"
    assert not set(told[0]) & set(told[1])

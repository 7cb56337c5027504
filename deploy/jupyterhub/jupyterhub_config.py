"""JupyterHub for a class: one lab for all that nobody can change, a folder for each person, and limits.

What differs from place to place comes from the environment; see README.md.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

LAB = Path(os.environ.get("LAB_HOME") or Path(__file__).resolve().parents[2])
PEOPLE = Path(os.environ.get("LAB_PEOPLE", "/srv/mcp-lab-people"))
STATE = Path(os.environ.get("LAB_HUB_STATE", "/var/lib/mcp-lab-hub"))
PYTHON = LAB / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"


def names(variable: str) -> set[str]:
    """Names separated by commas."""
    return {name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()}


def folder_of(name: str) -> Path:
    """A person's folder. No two names have the same, and none leads out of PEOPLE. Systemd gives % a meaning, not =."""
    return PEOPLE / quote(name, safe="").replace(".", "%2E").replace("%", "=")


def prepare(spawner: Any) -> None:
    """Before a server starts, as the hub's user: an own folder that nobody else can read.

    Only this one folder, whose parent belongs to the hub: all within is made by start_person.py as the person, because
    a root that writes into a folder of somebody else follows the links that they lay.
    """
    folder = folder_of(spawner.user.name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        shutil.chown(folder, user=spawner.user.name)
    spawner.notebook_dir = str(folder)


c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it

# Who may come. Without a name in LAB_LEARNERS nobody may; PAM asks for the passwords of this machine.
c.Authenticator.allowed_users = names("LAB_LEARNERS") | names("LAB_TEACHERS")
c.Authenticator.admin_users = names("LAB_TEACHERS")
c.JupyterHub.admin_access = False

# TLS ends at the proxy in front of it (deploy/nginx).
c.JupyterHub.bind_url = os.environ.get("LAB_HUB_URL", "http://127.0.0.1:8000")
c.JupyterHub.db_url = f"sqlite:///{(STATE / 'jupyterhub.sqlite').as_posix()}"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
c.JupyterHub.active_server_limit = int(os.environ.get("LAB_ACTIVE", "40"))
c.JupyterHub.concurrent_spawn_limit = 5

# What one person may use. Systemd enforces it with cgroups, for the kernels, servers and judges below as well; the
# spawner `local` does not enforce it, and is for a try on one's own machine.
SPAWNERS = {"systemd": "systemdspawner.SystemdSpawner", "local": "jupyterhub.spawner.LocalProcessSpawner"}
chosen = os.environ.get("LAB_SPAWNER", "systemd")
if chosen not in SPAWNERS:
    raise SystemExit(f"LAB_SPAWNER is {chosen!r}; it can be {' or '.join(SPAWNERS)}.")
c.JupyterHub.spawner_class = SPAWNERS[chosen]
c.Spawner.mem_limit = os.environ.get("LAB_MEMORY", "2G")
c.Spawner.cpu_limit = float(os.environ.get("LAB_CPU", "1"))
if chosen == "systemd":
    c.SystemdSpawner.readonly_paths = [str(LAB)]
    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.isolate_devices = True
    c.SystemdSpawner.disable_user_sudo = True
    c.SystemdSpawner.unit_extra_properties = {"TasksMax": os.environ.get("LAB_TASKS", "512")}

c.Spawner.pre_spawn_hook = prepare
c.Spawner.cmd = [str(PYTHON), str(LAB / "deploy" / "jupyterhub" / "start_person.py")]
c.Spawner.default_url = "/lab/tree/notebooks/start/00_welcome.ipynb"
c.Spawner.start_timeout = 120
c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=1800",
    "--ServerApp.shutdown_no_activity_timeout=3600",
]
# Nothing of the hub's own environment reaches a person but these; DATABASE_URL and keys of models do not.
c.Spawner.env_keep = ["LANG", "LC_ALL"]
c.Spawner.environment = {
    "PATH": os.pathsep.join([str(PYTHON.parent), "/usr/local/bin", "/usr/bin", "/bin"]),
    "LABKIT_WORK": lambda spawner: str(folder_of(spawner.user.name) / "work"),
    "JUPYTER_CONFIG_PATH": str(LAB / "labkit" / "cli" / "jupyter"),
    "JUPYTER_PREFER_ENV_PATH": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}

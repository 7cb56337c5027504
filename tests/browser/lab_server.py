"""A throw-away JupyterLab server."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from labkit.catalog import LAB_ROOT

SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# It ends with this process, in whichever way that ends, and then says so in its log.
LAB = """
import os, signal, sys, threading
import psutil
from jupyterlab.labapp import main
def end_with_owner(owner):
    try:
        psutil.Process(owner).wait()
    except psutil.NoSuchProcess:
        pass
    print("The tests that started this JupyterLab have ended", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=end_with_owner, args=[int(sys.argv.pop(1))], daemon=True).start()
sys.exit(main())
"""


class JupyterLab:
    """A JupyterLab server with settings, runtime files and workspaces of its own, on a free port of 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        self.token = secrets.token_hex(16)
        settings = folder / "settings"
        for plugin, value in SETTINGS.items():
            package, name = plugin.split(":")
            file = settings / package / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(value), encoding="utf-8")
        own = {
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "IPYTHONDIR": "ipython",
        }
        env = {k: v for k, v in os.environ.items() if k != "LABKIT_SCRIPTED"}
        env |= {key: str(folder / name) for key, name in own.items()}
        env |= {"JUPYTER_PREFER_ENV_PATH": "1", "PYTHONPATH": str(LAB_ROOT), "NO_PROXY": "127.0.0.1,localhost"}
        self.log_path = folder / "lab.log"
        self._log = self.log_path.open("wb")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                LAB,
                str(os.getpid()),
                "--no-browser",
                "--allow-root",
                "--ServerApp.ip=127.0.0.1",
                "--ServerApp.port=0",
                f"--ServerApp.root_dir={self.root}",
                f"--IdentityProvider.token={self.token}",
                "--LabApp.expose_app_in_browser=True",
                f"--LabApp.user_settings_dir={settings}",
                f"--LabApp.workspaces_dir={folder / 'workspaces'}",
                "--LabApp.news_url=None",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.url = self._wait(folder / "runtime")

    def _wait(self, runtime: Path) -> str:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.process.poll() is None:
            for file in runtime.glob("jpserver-*.json"):
                try:
                    url = str(json.loads(file.read_text(encoding="utf-8"))["url"])
                except (ValueError, KeyError):
                    continue
                self.url = url
                if self.api("api/status"):
                    return url
            time.sleep(0.1)
        self.close()
        raise RuntimeError(f"JupyterLab did not start:\n{self.log_path.read_text(encoding='utf-8')[-3000:]}")

    def api(self, path: str, method: str = "GET") -> Any:
        """Ask the server's REST interface; None when it does not answer."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        try:
            with DIRECT.open(request, timeout=10) as answer:
                return json.loads(answer.read() or b"null")
        except OSError:
            return None

    def end_kernels(self) -> None:
        """Back when they have ended."""
        for session in self.api("api/sessions") or []:
            self.api(f"api/sessions/{session['id']}", "DELETE")

    def close(self) -> None:
        """SIGTERM: the server ends its kernels, too."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._log.close()

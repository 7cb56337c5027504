"""Set up MCP Lab and start it, with nothing but Python 3.11+ and its standard library.

    python start.py                     open JupyterLab at the welcome notebook (--port N, --no-browser)
    python start.py test [ARGS]         run every test; ARGS go to pytest
    python start.py setup [--extras]    only set up .venv; --extras adds what some tests and services need
    python start.py COMMAND [ARGS]      any command of the lab: doctor, servers, serve, call, run (`COMMAND --help`)

The environment is `.venv/`, made from the pinned versions in requirements.lock: by uv when it is on the PATH, else by
venv and pip. Delete `.venv/` to start over. This file must stay readable to old Pythons, which have to be able to
print the sentence below.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "MCP Lab needs Python 3.11 or newer; this is Python %s (%s).\n"
        "Install a newer one (python.org, your package manager, `uv python install 3.12`), then: python3.12 start.py"
        % (sys.version.split()[0], sys.executable)
    )

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOCKS = {"base": HERE / "requirements.lock", "extras": HERE / "requirements-extras.lock"}
DO_THIS = (
    "The lab could not be set up. What to do:\n"
    "  - no network, or a proxy? the first start downloads about 150 MB; set HTTPS_PROXY, or PIP_INDEX_URL (and\n"
    "    UV_DEFAULT_INDEX) for a mirror of your own, and run the same command again: it goes on where it stopped\n"
    "  - no space left? .venv needs about 500 MB\n"
    "  - anything else: delete the folder .venv and try once more"
)


class SetupError(Exception):
    """The environment could not be made; the message says what happened and what to do."""


def say(text: str) -> None:
    print("[lab] " + text, file=sys.stderr, flush=True)


def stamp_of(level: str) -> str:
    """What the environment has to match: the pins, the package's own metadata, and the place it was made for."""
    digest = hashlib.sha256(os.fsencode(HERE))
    digest.update(LOCKS[level].read_bytes().replace(b"\r\n", b"\n"))
    tables = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
    digest.update(repr([tables["build-system"], tables["project"], tables["tool"]["setuptools"]]).encode())
    return digest.hexdigest()


def venv_python_works() -> bool:
    """False for a folder that was left half made, and for one whose base Python has since been removed."""
    try:
        lines = (VENV / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    settings = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    version = settings.get("version_info", settings.get("version", "0")).split(".")
    return PYTHON.exists() and Path(settings.get("home", "")).is_dir() and [int(n) for n in version[:2]] >= [3, 11]


def is_ready(level: str) -> bool:
    """The stamp is the last thing that a set-up writes, so whatever was interrupted before it starts again."""
    try:
        stamp = (VENV / f".labkit-{level}").read_text(encoding="utf-8")
    except OSError:
        return False
    return stamp == stamp_of(level) and venv_python_works()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold a lock of the operating system, which ends with this process however it ends: it can never be stale."""
    path = HERE / "work" / "setup.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a+b") as file:
        waiting = False
        while not try_lock(file.fileno()):
            if not waiting:
                say("another start is setting up .venv; waiting for it")
                waiting = True
            time.sleep(0.1)
        yield


def try_lock(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # a file system without locks: go on without
    return True


def run(command: list[str]) -> None:
    """Run one step; its output goes to stderr, so that `start.py call ... --output json` keeps stdout clean."""
    try:
        code = subprocess.run(command, cwd=HERE, stdout=2, check=False).returncode
    except OSError as error:
        raise SetupError(f"{command[0]} cannot be run: {error}") from error
    if code:
        raise SetupError(f"this step ended with exit code {code}: {' '.join(command)}\n\n{DO_THIS}")


def set_up(level: str) -> None:
    """Make `.venv` match the lock; does nothing in a few milliseconds when it already does."""
    if is_ready(level):
        return
    with one_at_a_time():
        if not is_ready(level):
            install(level)


def install(level: str) -> None:
    lock, began = LOCKS[level], time.monotonic()
    (VENV / f".labkit-{level}").unlink(missing_ok=True)
    uv = shutil.which("uv")
    say(f"setting up .venv from {lock.name} with {'uv' if uv else 'pip (uv would be five times faster)'}; once only")
    if not venv_python_works():
        shutil.rmtree(VENV, ignore_errors=True)
        make_venv(uv)
    # Where Python may not write bytecode, as in many containers, uv has to: or each kernel compiles its imports anew.
    compile_now = ["--compile-bytecode"] if sys.dont_write_bytecode else []
    if not (
        uv and install_with([uv, "pip", "install", "--python", str(PYTHON), *compile_now], level, last_chance=False)
    ):
        need_pip()
        install_with([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"], level, last_chance=True)
    for each in LOCKS if level == "extras" else ["base"]:  # the extras' lock holds everything of the other
        (VENV / f".labkit-{each}").write_text(stamp_of(each), encoding="utf-8")
    say(f"ready after {time.monotonic() - began:.0f} s")


def install_with(way: list[str], level: str, last_chance: bool) -> bool:
    try:
        run([*way, "--quiet", "--require-hashes", "-r", str(LOCKS[level])])
        run([*way, "--quiet", "--no-deps", "-e", str(HERE)])
    except SetupError as error:
        if last_chance:
            raise
        say(f"{str(error).splitlines()[0]}; trying pip, which may have other settings")
        return False
    return True


def make_venv(uv: "str | None") -> None:
    if uv:
        with contextlib.suppress(SetupError):
            return run([uv, "venv", "--quiet", "--seed", "--python", sys.executable, str(VENV)])
    if importlib.util.find_spec("ensurepip") is None:
        version = "%d.%d" % sys.version_info[:2]
        raise SetupError(
            "This Python cannot make environments (Debian and Ubuntu keep that part in a package of its own).\n"
            f"Install it: sudo apt install python{version}-venv      or install uv, see docs.astral.sh/uv"
        )
    run([sys.executable, "-m", "venv", str(VENV)])


def need_pip() -> None:
    if subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        run([str(PYTHON), "-m", "ensurepip", "--upgrade"])


def hand_over(arguments: list[str]) -> int:
    """Run `python -m labkit ARGUMENTS` in the environment, in this terminal, and come back with its exit code."""
    command = [str(PYTHON), "-m", "labkit", *arguments]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    environment["PYTHONUTF8"] = "1"  # notebooks are UTF-8, whatever the code page of this machine
    if os.name != "nt":
        os.execve(command[0], command, environment)  # signals then reach the lab itself
    child = subprocess.Popen(command, env=environment)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C reached the child as well: wait for it to end its kernels


def main(arguments: list[str]) -> int:
    if arguments[:1] in (["-h"], ["help"]) or arguments == ["--help"]:
        print(__doc__)
        return 0
    only_set_up = arguments[:1] == ["setup"]
    if only_set_up and set(arguments[1:]) - {"--extras"}:
        print("usage: python start.py setup [--extras]", file=sys.stderr)
        return 2
    if not arguments or (arguments[0].startswith("-") and arguments[0] != "--version"):
        arguments = ["lab", *arguments]
    try:
        set_up("extras" if "--extras" in arguments and only_set_up else "base")
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    if only_set_up:
        print(f"The environment is ready: {PYTHON}")
        return 0
    return hand_over(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a learner's process may use and touch. Loaded by path from subject.py, so it imports nothing of labkit.

The refusals are a deterrent, not a wall: code in this process can undo anything that Python can do. They explain
themselves, which the wall behind them (landlock.py, on Linux) does not. What no answer can reach is the judge, where
the checks and the marks are (see judge.py).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any


def set_limits(limits: dict[str, Any]) -> None:
    """Hard limits where the system has them; from outside, the judge watches on every system."""
    try:
        import resource
    except ImportError:  # Windows
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime) + int(limits["cpu"]) + 1
    space = _address_space() + (int(limits["memory"]) << 20)
    wanted: dict[str, tuple[int, int]] = {
        "RLIMIT_CPU": (cpu, cpu + 1),
        "RLIMIT_FSIZE": (16 << 20, 16 << 20),
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_NOFILE": (256, 256),
        "RLIMIT_AS": (space, space),
    }
    # Not RLIMIT_NPROC: it counts every process of the user, so it would break a busy desktop, and root is exempt.
    for name, pair in wanted.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), pair)


def _address_space() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 1 << 40


_PATH_EVENTS = (
    *("open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod"),
    *("os.chown", "os.link", "os.symlink", "os.utime"),
)
_PROCESS_EVENTS = (
    *(
        "subprocess.Popen",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.system",
        "os.exec",
        "os.spawn",
        "os.startfile",
    ),
    *("os.kill", "os.killpg", "resource.setrlimit", "resource.prlimit", "ctypes.dlopen"),
)


def same_name(path: str, platform: str = sys.platform) -> str:
    """One spelling for all names of a file that the system takes for the same.

    `normcase` knows only of Windows. The file systems of macOS ignore case, too, and how letters are composed.
    """
    if platform != "darwin":
        return os.path.normcase(path)
    import unicodedata

    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def refuse(forbidden: tuple[str, ...]) -> None:
    """Refuse to read the exercises, to look into other processes, and to start or kill any."""
    own = {"self", "thread-self", str(os.getpid())}
    forbidden = tuple(same_name(os.path.realpath(path)) for path in forbidden)

    def path_of(*values: object) -> None:
        for value in values:
            if not isinstance(value, str | bytes | os.PathLike):
                continue
            path = same_name(os.path.realpath(os.fsdecode(value)))  # type: ignore[arg-type]
            if path in forbidden or path.startswith(tuple(each + os.sep for each in forbidden)):
                raise PermissionError("labkit: this folder is closed to answers while they are checked")
            parts = path.split("/")
            if len(parts) > 2 and parts[1] == "proc" and parts[2].isdigit() and parts[2] not in own:
                raise PermissionError("labkit: other processes are closed to answers while they are checked")

    def process(*_: object) -> None:
        raise PermissionError("labkit: an answer may not start, replace or signal processes")

    rules: dict[str, Callable[..., None]] = dict.fromkeys(_PATH_EVENTS, path_of)
    rules |= dict.fromkeys(_PROCESS_EVENTS, process)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        rule = rules.get(event)
        if rule is not None:
            rule(*args[:2])

    sys.addaudithook(hook)

"""Run inside a kernel by test_nursery.py: what a notebook can find out about the process that it runs in."""

from __future__ import annotations

import asyncio
import builtins
import gc
import importlib
import locale
import logging
import os
import random
import re
import resource
import signal
import sys
import threading
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

VARYING = {"IPYTHONDIR", "JPY_PARENT_PID", "PYTEST_CURRENT_TEST", "LABKIT_NO_FORK"}
PLAIN = (str, bytes, int, float, bool, type(None))


def before() -> dict[str, Any]:
    """Facts of a kernel in its first cell."""
    import psutil

    me = psutil.Process()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return {
        "environ": {k: v for k, v in os.environ.items() if k not in VARYING},
        "parent": os.environ["JPY_PARENT_PID"] == str(os.getppid()),
        "argv": [_nameless(word) for word in sys.argv],
        "orig_argv": [_nameless(word) for word in sys.orig_argv],
        "command line": [_nameless(word) for word in me.cmdline()],
        "cwd": str(Path.cwd()),
        "path": sys.path,
        "flags": str(sys.flags) + str(sys._xoptions),
        "threads": sorted(re.sub(r"\d+", "N", each.name) for each in threading.enumerate()),
        "descriptors": sorted(_kind(fd) for fd in Path("/proc/self/fd").iterdir()),
        "signals": [f"{each!r} {_where(signal.getsignal(each))}" for each in signal.valid_signals()],
        "masks": re.findall(r"^(?:Umask|Sig(?:Blk|Ign|Cgt)|Seccomp|NoNewPrivs):.*", status, re.M),
        "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid(), me.nice(), os.isatty(0)],
        "limits": [resource.getrlimit(each) for each in range(16)],
        "loop": [type(asyncio.get_event_loop_policy()).__qualname__, type(asyncio.get_running_loop()).__qualname__],
        "main": sorted(vars(sys.modules["__main__"])),
        "streams": [
            f"{each.name} {each.encoding} {each.errors} {each.line_buffering}"
            for each in (sys.__stdin__, sys.__stdout__, sys.__stderr__)
            if each
        ],
        "stdin": os.read(0, 1).hex(),
        "locale": locale.setlocale(locale.LC_ALL),
        "collector": [gc.get_threshold(), gc.isenabled(), sys.getrecursionlimit(), sys.getswitchinterval()],
        "age": abs(_since_start() - (time.time() - me.create_time())) < 30,
    }


def after(modules: list[str]) -> dict[str, Any]:
    """Facts of a kernel that has imported these modules, with what they left in the interpreter and in themselves."""
    import labkit as lab

    assert lab.connect  # first, as in a notebook: it has jsonschema imported without Jupyter's URI grammar
    for name in modules:
        importlib.import_module(name)
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    import pandas as pd

    return {
        # In which order modules are imported decides where theirs stand, which match one message each.
        "warnings": [(each[0], each[2].__name__, str(each[3])) for each in warnings.filters if not each[1]],
        "messages": sorted(f"{each[0]} {each[1]} {each[2].__name__}" for each in warnings.filters if each[1]),
        "loggers": {
            name: [each.level, each.disabled, [type(handler).__name__ for handler in each.handlers]]
            for name, each in [("root", logging.root), *logging.root.manager.loggerDict.items()]
            if isinstance(each, logging.Logger)
        },
        "builtins": sorted(vars(builtins)),
        "hooks": [_where(each) for each in (*sys.meta_path, *sys.path_hooks, sys.excepthook, sys.displayhook)],
        "figures": plt.get_fignums(),
        "backend": [mpl.get_backend(), plt.isinteractive(), str(plt._REPL_DISPLAYHOOK)],
        "rc": {name: str(value) for name, value in mpl.rcParams.items()},
        "pandas": [pd.get_option("display.max_columns"), pd.get_option("display.width")],
        "events": {
            name: sorted(_where(each) for each in calls)
            for name, calls in sys.modules["IPython"].get_ipython().events.callbacks.items()
        },
        "globals": {
            name: {key: str(value) for key, value in list(vars(module).items()) if _lasting(name, key, value)}
            for name, module in sorted(sys.modules.items())
            if module is not None and name not in ("__main__", "__mp_main__")
        },
        "main of workers": sys.modules["__mp_main__"].facts is sys.modules["__main__"].facts,
    }


def chance() -> dict[str, str]:
    """What no two kernels have in common."""
    import multiprocessing

    import numpy as np

    return {
        "random": str(random.random()),
        "numpy": str(np.random.random()),
        "uuid": str(uuid.uuid4()),
        "key": bytes(multiprocessing.current_process().authkey).hex(),
        "pid": str(os.getpid()),
    }


def _lasting(module: str, name: str, value: Any) -> bool:
    """Whether a module's global has a value that can be compared, and is none of this process alone."""
    plain = isinstance(value, PLAIN) or (isinstance(value, tuple | list) and all(isinstance(v, PLAIN) for v in value))
    own = re.search(r"_addr$|_pid|[tT]ime|argv$|[a-z]_KEY$|^__file__$", name) or module.startswith("_pydev")
    drawn = isinstance(value, str) and re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-", value)
    return plain and not own and not drawn


def _where(thing: Any) -> str:
    name = getattr(thing, "__qualname__", type(thing).__qualname__)
    return f"{getattr(thing, '__module__', '')}.{name}"


def _nameless(word: str) -> str:
    return re.sub(r"(tmp|labkit-run-)\w{8}", r"\1N", word)


def _kind(fd: Path) -> str:
    try:
        return re.sub(r"\d+", "N", _nameless(str(fd.readlink())))
    except OSError:
        return "gone"


def _since_start() -> float:
    """Seconds since this process began, as logging counts them."""
    return logging.LogRecord("", 0, "", 0, "", None, None).relativeCreated / 1000

"""What forked kernels promise: no notebook can tell them from fresh ones, and no template outlives its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from labkit.course import nursery, run_notebooks, template
from labkit.course.nursery import LAUNCH, Nursery

FACTS = Path(__file__).with_name("facts.py")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


@pytest.fixture
def mine(monkeypatch):
    """A nursery that is this test's own; the template of other tests in this process stays as it is."""
    made = Nursery()
    monkeypatch.delenv("LABKIT_NO_FORK", raising=False)
    monkeypatch.setattr("labkit.course.kernel.NURSERY", made)
    monkeypatch.setattr("labkit.course.run.NURSERY", made)
    yield made
    made.close()


def take(mine: Nursery, tmp_path: Path, **env: str):
    with (tmp_path / "log").open("wb") as log:
        cmd = [*LAUNCH, str(tmp_path / "kernel.json")]
        return mine.take(cmd, env={**os.environ, **env}, cwd=str(tmp_path), stdout=log, stderr=log)


def stand_in(monkeypatch, tmp_path: Path, source: str) -> None:
    script = tmp_path / "template.py"
    script.write_text("import os, sys\nfd = int(sys.argv[1])\n" + source, encoding="utf-8")
    monkeypatch.setattr(nursery, "TEMPLATE", script)


def test_a_notebook_cannot_tell_how_its_kernel_was_started(mine, notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "1")  # or the order of sets would make differences of its own
    cells = (
        f"import runpy, json, pathlib\nfacts = runpy.run_path({str(FACTS)!r})\nfound = facts['before']()",
        f"found |= facts['after']({template.MODULES!r})",
        "text = json.dumps([found, facts['chance']()])",
    )
    names = ["one", "two", "new"]
    paths = [notebook(name, *cells, f"pathlib.Path('{name}.json').write_text(text)") for name in names]
    run_notebooks(paths[:2], jobs=1, html=False, out=tmp_path / "out").check()
    assert mine.pid is not None and psutil.pid_exists(mine.pid), "two of the kernels were to be forked"
    monkeypatch.setenv("LABKIT_NO_FORK", "1")
    run_notebooks(paths[2:], jobs=1, html=False, out=tmp_path / "out").check()

    (one, _), (two, _), (new, _) = found = [json.loads(p.with_suffix(".json").read_text("utf-8")) for p in paths]
    # The names of the notebooks are of one length and are in the names of their logs only.
    for forked, name in ((one, "one"), (two, "two")):
        forked["descriptors"] = [each.replace(name + ".log", "new.log") for each in forked["descriptors"]]
        theirs, ours = forked.pop("globals"), new["globals"]
        both = theirs.keys() & ours.keys()
        assert {"pandas.core.config_init", "matplotlib", "labkit.session.connection"} <= both
        for module in both:
            assert theirs[module] == ours[module], module
    fresh = {fact: value for fact, value in new.items() if fact != "globals"}
    for fact, value in fresh.items():
        assert one[fact] == value, fact
        assert two[fact] == value, fact
    assert fresh["figures"] == [] and fresh["parent"] and fresh["stdin"] == ""
    for kind in found[0][1]:
        assert len({chance[kind] for _, chance in found}) == 3, kind


def test_a_template_and_its_kernels_end_with_the_process_that_they_are_for(tmp_path):
    program = (
        "import os, sys, subprocess\nfrom pathlib import Path\n"
        "from jupyter_client.connect import write_connection_file\n"
        "from labkit.course.nursery import LAUNCH, Nursery\n"
        "n = Nursery()\nn.expect(2, os.environ)\nkernels = []\n"
        "for name in 'ab':\n"
        "    file, _ = write_connection_file(str(Path(sys.argv[1], name)))\n"
        "    kernels.append(n.take([*LAUNCH, file], env=os.environ, cwd=sys.argv[1], stdout=sys.stderr, stderr=sys.stderr))\n"
        "kernels[0].send_signal(9)\n"
        "print(n.pid, kernels[1].pid, kernels[0].wait(30), kernels[1].poll(), flush=True)\nsys.stdin.read()"
    )
    environ = {name: value for name, value in os.environ.items() if name != "LABKIT_NO_FORK"}
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
    )
    assert owner.stdout and owner.stdin
    told = owner.stdout.readline().split()
    family = [psutil.Process(int(pid)) for pid in told[:2]]
    assert told[2:] == [b"-9", b"None"], "how one ended, and that the other lives"
    assert family[1].ppid() == family[0].pid
    owner.kill()
    owner.communicate()
    gone, _ = psutil.wait_procs(family, timeout=30)
    for process in family:
        assert process in gone or process.status() == psutil.STATUS_ZOMBIE


def test_when_a_template_was_killed_the_next_notebook_is_run_all_the_same(mine, notebook, tmp_path, monkeypatch):
    stand_in(monkeypatch, tmp_path, "os.write(fd, b'r')\nos.read(0, 1)\nimport signal\nsignal.pause()")
    mine.expect(2, nursery.kernel_environment())
    assert mine.pid is not None
    os.kill(mine.pid, signal.SIGKILL)
    run_notebooks([notebook("after", "1")], html=False, out=tmp_path / "out").check()


def test_a_template_is_started_when_a_second_kernel_is_asked_for(mine, tmp_path, monkeypatch):
    stand_in(monkeypatch, tmp_path, "import signal\nos.write(fd, b'r')\nsignal.pause()")
    monkeypatch.setattr(nursery, "REPORT", 0.2)
    assert take(mine, tmp_path) is None and mine.pid is None
    mine.expect(1, os.environ)
    assert mine.pid is None
    assert take(mine, tmp_path) is None, "this one never answers"
    mine.expect(2, os.environ)
    first = mine.pid
    mine.expect(2, {**os.environ, "IPYTHONDIR": "another"})
    assert mine.pid == first is not None
    mine.expect(2, {**os.environ, "MPLBACKEND": "svg"})
    assert mine.pid != first, "what a module has read when it was imported has changed since"
    assert not psutil.pid_exists(first)


@pytest.mark.parametrize("source", ["print('UserWarning')\nos.write(fd, b'r')\nos.read(fd, 1)", "sys.exit(1)"])
def test_a_template_that_says_something_or_fails_is_not_used_nor_started_again(mine, tmp_path, monkeypatch, source):
    stand_in(monkeypatch, tmp_path, source.replace("\nos.write", "\nsys.stdout.flush()\nos.write"))
    mine.expect(2, os.environ)
    assert mine.pid is not None
    assert take(mine, tmp_path) is None
    mine.expect(2, os.environ)
    assert mine.pid is None


@pytest.mark.parametrize(("name", "value"), [("platform", "darwin"), ("platform", "win32"), ("environ", "1")])
def test_elsewhere_and_when_told_so_kernels_are_started_in_the_ordinary_way(mine, tmp_path, monkeypatch, name, value):
    if name == "environ":
        monkeypatch.setenv("LABKIT_NO_FORK", value)
    else:
        monkeypatch.setattr(nursery.sys, "platform", value)
    mine.expect(9, os.environ)
    assert take(mine, tmp_path) is None and take(mine, tmp_path) is None
    assert mine.pid is None

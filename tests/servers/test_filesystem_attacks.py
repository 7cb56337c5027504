"""Attacks on the vault itself: links made and exchanged while it works, pipes, odd names, two writers at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from labkit.defences.folders import HELD
from servers.filesystem.vault import FileError, Limits, Vault
from servers.globs import matches

posix = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
held = pytest.mark.skipif(
    not HELD, reason="this system cannot hold folders; the race stays open, as filesystem://limits says"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in ("root/inner", "outside"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "root/inner/file.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "outside/file.txt").write_text("SECRET", encoding="utf-8")
    return tmp_path


@pytest.fixture(params=[True, False] if HELD else [False], ids=lambda held: "held" if held else "named")
def vault(request: pytest.FixtureRequest, place: Path) -> Vault:
    """Both kinds of folders: the second is what Windows has, and must stop everything but races."""
    return Vault([place / "root"], held=request.param)


@posix
def test_no_link_is_followed_anywhere(vault: Vault, place: Path) -> None:
    (place / "root/file").symlink_to("../outside/file.txt")
    (place / "root/folder").symlink_to("../outside")
    (place / "root/dangling").symlink_to("nowhere")
    (place / "root/loop").symlink_to("loop")
    for path in ("root/file", "root/folder/file.txt", "root/dangling", "root/loop"):
        with pytest.raises(FileError, match="links are not followed"):
            vault.read(path)
        with pytest.raises(FileError, match="links are not followed"):
            vault.write(path, b"x", overwrite=True, create_folders=True)
    with pytest.raises(FileError, match="links are not followed"):
        vault.entries("root/folder")
    assert not (place / "root/nowhere").exists()
    assert (place / "outside/file.txt").read_text(encoding="utf-8") == "SECRET"
    found = [entry.path for entry in vault.search("root", "*") if entry]
    assert "root/folder" in found and "root/folder/file.txt" not in found


@posix
def test_a_root_may_itself_be_a_link(place: Path) -> None:
    (place / "alias").symlink_to("root")
    assert Vault([place / "alias"]).read("root/inner/file.txt")[0] == b"mine"


@contextmanager
def exchanging(place: Path) -> Iterator[None]:
    """Another process's hand, as fast as it can: root/inner is now the folder, now a link to the one outside."""
    inner, aside, stop = place / "root/inner", place / "root/aside", threading.Event()

    def work() -> None:
        while not stop.is_set():
            inner.rename(aside)
            inner.symlink_to(place / "outside")
            linger(inner)
            inner.unlink()
            aside.rename(inner)
            linger(inner)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def linger(path: Path) -> None:
    """Leave it so for a moment, and let the other thread run: each look at the disk is a chance for it."""
    for _ in range(10):
        path.lstat()


def outcomes(attempt: Callable[[], object], times: int = 1000) -> set[str]:
    """What happened in that many attempts, and in some more if all ended alike: threads can run in step."""
    seen: set[str] = set()
    for turn in range(10 * times):
        try:
            seen.add(str(attempt()))
        except FileError:
            seen.add("refused")
        if turn >= times and "refused" in seen and len(seen) > 1:
            break
    return seen


@held
def test_exchanging_a_folder_for_a_link_while_reading_never_leads_outside(place: Path) -> None:
    vault = Vault([place / "root"])
    with exchanging(place):
        seen = outcomes(lambda: vault.read("root/inner/file.txt")[0].decode())
    assert seen <= {"mine", "refused"}
    assert vault.read("root/inner/file.txt")[0] == b"mine"


@held
def test_exchanging_a_folder_for_a_link_while_writing_never_leads_outside(place: Path) -> None:
    vault = Vault([place / "root"])
    with exchanging(place):
        outcomes(lambda: vault.write("root/inner/new.txt", b"x", overwrite=True), times=100)
    assert [file.name for file in (place / "outside").iterdir()] == ["file.txt"]
    vault.write("root/inner/new.txt", b"x", overwrite=True)
    assert sorted(file.name for file in (place / "root/inner").iterdir()) == ["file.txt", "new.txt"]


@held
def test_exchanging_a_folder_for_a_link_while_searching_never_leads_outside(place: Path) -> None:
    (place / "outside/only-outside.txt").touch()
    vault = Vault([place / "root"])
    with exchanging(place):
        seen = outcomes(lambda: sorted(e.path for e in vault.search("root", "*.txt") if e), times=200)
    assert "only-outside" not in str(seen)
    assert [e.path for e in vault.search("root", "*.txt") if e] == ["root/inner/file.txt"]


def test_readers_see_the_old_file_or_the_new_one(vault: Vault, place: Path) -> None:
    old, new = b"a" * 200_000, b"b" * 300_000
    vault.write("root/big.txt", old)
    stop = threading.Event()

    def work() -> None:
        for data in (new, old) * 20:
            vault.write("root/big.txt", data, overwrite=True)
        stop.set()

    writer = threading.Thread(target=work)
    writer.start()
    seen = set()
    while not stop.is_set():
        seen.add(vault.read("root/big.txt")[0])
    writer.join()
    assert seen <= {old, new}


def test_of_many_who_create_one_file_one_succeeds(vault: Vault, place: Path) -> None:
    created: list[int] = []

    def work(me: int) -> None:
        with suppress(FileError):
            vault.write("root/mine.txt", str(me).encode())
            created.append(me)

    writers = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(created) == 1 and vault.read("root/mine.txt")[0] == str(created[0]).encode()
    assert sorted(file.name for file in (place / "root").iterdir()) == ["inner", "mine.txt"]


@posix
def test_a_pipe_is_refused_and_not_waited_for(vault: Vault, place: Path) -> None:
    os.mkfifo(place / "root/pipe")
    with pytest.raises(FileError, match="no regular file"):
        vault.read("root/pipe")


@posix
def test_a_file_that_may_not_be_read_is_said_to_be_forbidden(vault: Vault, place: Path) -> None:
    (place / "root/closed.txt").touch(mode=0o000)
    if os.access(place / "root/closed.txt", os.R_OK):
        pytest.skip("whoever runs this test may read everything: run it without being root")
    with pytest.raises(FileError, match="'root/closed.txt' is not for this server: the system forbids it"):
        vault.read("root/closed.txt")


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname != "Linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_is_shown_and_harms_nothing(vault: Vault, place: Path) -> None:
    Path(os.fsdecode(os.fsencode(place / "root") + b"/\xff.txt")).touch()
    paths = [entry.path for entry in vault.entries("root")]
    assert r"root/\xff.txt" in paths
    "".join(paths).encode("utf-8")
    with pytest.raises(FileError, match="half of a character"):
        vault.read("root/\udcff.txt")


def test_descriptors_are_given_back(vault: Vault, place: Path) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to count descriptors")
    (place / "root/a/b/c").mkdir(parents=True)

    def work() -> None:
        for path in ("root/inner/file.txt", "root/nope", "root/a/b/c/nope", "root/inner/file.txt/x", "root/a"):
            with suppress(FileError):
                vault.read(path)
            with suppress(FileError):
                vault.write(path + "/x.txt", b"")
        list(vault.search("root", "*"))
        vault.search("root", "*").close()
        next(vault.search("root", "**/c"))

    work()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        work()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_that_lies_about_its_size_is_cut_at_the_limit(place: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("needs a file of /proc, which says that it holds 0 bytes")
    vault = Vault([Path("/proc/self")], Limits(max_bytes=10))
    name = vault.names[0]
    assert len(vault.read(f"{name}/status")[0]) == 10


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.py", "a/b/c.py", True),
        ("*.py", "a/b/c.pyc", False),
        ("a/*.py", "a/c.py", True),
        ("a/*.py", "a/b/c.py", False),
        ("a/**/*.py", "a/c.py", True),
        ("a/**/*.py", "a/b/b/c.py", True),
        ("**/c.py", "c.py", True),
        ("**/b/**", "a/b/c.py", True),
        ("/".join(["**"] * 40 + ["x"]), "/".join("a" * 40), False),
    ],
)
def test_patterns(pattern: str, path: str, fits: bool) -> None:
    assert matches(path, pattern) is fits

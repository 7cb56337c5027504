"""The guard of paths under attack: spellings that got past others, legitimate paths, random ones, and links that move."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.defences.folders import HELD, LinkRefused
from labkit.defences.paths import (
    LONGEST,
    NameRefused,
    PathRefused,
    means_more_on_windows,
    names_below,
    open_below,
    safe_path,
    write_below,
)

CORPUS = Path(__file__).with_name("corpus")
CANARY = "canary-7d1f"
LINKS = {
    "latest.txt": "../secret.txt",
    "shortcut": "../data-private",
    "notes/hop": "../shortcut",
    "absolute": "{root}/data-private",
    "absolute.txt": "{root}/secret.txt",
    "up": "..",
    "dangling.txt": "../data-private/new.txt",
    "circle": "circle",
    "today.txt": "notes/costs.txt",
    "archive": "notes",
    "notes/back": "..",
    "home": "{root}/data",
}
POSIX = os.name != "nt"
quick = settings(max_examples=100, derandomize=True, deadline=None)


class Place:
    """A folder `data` to offer, with secrets around it, and links in it where the system lets us make them."""

    def __init__(self, folder: Path) -> None:
        self.root, self.data = folder, folder / "data"
        for name in {*table("legitimate")["files"].values(), *(table("legitimate")["posix"].values() if POSIX else ())}:
            self.put(self.data / name, f"this is {name}")
        for name in ("secret.txt", "data-private/secret.txt", "data2/secret.txt", "data.old/secret.txt"):
            self.put(folder / name, CANARY)
        self.links = True
        for name, leads_to in LINKS.items():
            try:
                (self.data / name).symlink_to(leads_to.format(root=folder), target_is_directory="." not in name)
            except OSError:  # Windows asks for a right that users do not have
                self.links = False

    def put(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def spelled(self, text: str) -> str:
        up = "../" * (len(self.data.parts) - 1)
        for mark, stands_for in (("{root}", self.root.as_posix()), ("{up}", up), ("{parent}", self.root.name)):
            text = text.replace(mark, stands_for)
        return text

    def gets_out(self, text: str) -> bool:
        """Whether the guard lets a path through that leads out, or gives what lies outside."""
        try:
            place = safe_path(self.data, text)
            if not place.resolve().is_relative_to(self.data):
                return True
            with open_below(self.data, text) as file:
                return CANARY in file.read().decode("utf-8", "replace")
        except (PathRefused, OSError):
            return False

    def means(self, text: str, name: str) -> bool:
        """Whether a legitimate path leads where it should, in both ways to go there."""
        try:
            with open_below(self.data, text) as file:
                found = file.read().decode("utf-8")
            return safe_path(self.data, text) == (self.data / name).resolve() and found == f"this is {name}"
        except (PathRefused, OSError):
            return False


def table(kind: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((CORPUS / f"paths_{kind}.toml").read_text(encoding="utf-8"))


def attacks(place: Place) -> Iterator[tuple[str, str]]:
    """Each group of the corpus with each of its spellings, filled in."""
    for group, spellings in table("attacks").items():
        if group != "links" or place.links:
            yield from ((group, place.spelled(text)) for text in spellings)


def got_out(place: Place) -> list[str]:
    """The attacks that got through. What Windows takes for another place has to be refused on any system, unseen."""
    return [
        text
        for group, text in attacks(place)
        if (not refused(place, text, windows=True) if group == "windows" else place.gets_out(text))
    ]


def legitimate(place: Place) -> Iterator[tuple[str, str]]:
    for group, paths in table("legitimate").items():
        if group == "files" or (group == "links" and place.links) or (group == "posix" and POSIX):
            yield from ((place.spelled(text), name) for text, name in paths.items())


def numbers() -> tuple[int, int, int, int]:
    """Attacks, how many of them got through; legitimate paths, how many of them were refused."""
    with tempfile.TemporaryDirectory(prefix="labkit-paths-") as folder:
        place = Place(Path(folder).resolve())
        used = [place.means(text, name) for text, name in legitimate(place)]
        return len(list(attacks(place))), len(got_out(place)), len(used), used.count(False)


def refused(place: Place, text: str, *, windows: bool) -> bool:
    with suppress(PathRefused):
        safe_path(place.data, text, windows=windows)
        return False
    return True


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("paths").resolve())


def test_no_known_spelling_gets_out_and_no_legitimate_path_is_refused(place: Place) -> None:
    kept_out = [text for text, name in legitimate(place) if not place.means(text, name)]
    assert (got_out(place), kept_out) == ([], [])


def test_the_corpus_is_large_enough_and_its_numbers_are_told() -> None:
    tried, passed, used, kept_out = numbers()
    assert tried >= 60 and used >= 60 and (passed, kept_out) == (0, 0)


def test_spellings_that_leave_the_folder_are_refused_before_anything_is_opened(place: Place) -> None:
    """Encoded ones are names that may exist, and stay inside; these lead out on every system."""
    sure = {"dots", "absolute", "links"}
    opened = [t for group, t in attacks(place) if group in sure and not refused(place, t, windows=not POSIX)]
    assert opened == []


def test_the_prefix_check_that_tutorials_have_falls_to_the_corpus(place: Place) -> None:
    """The corpus has teeth: the old way lets many of it through."""

    def old_way(text: str) -> bool:
        wanted = os.path.normpath(place.data / text)
        with suppress(OSError, ValueError):
            return wanted.startswith(str(place.data)) and CANARY in Path(wanted).read_text(encoding="utf-8")
        return False

    assert sum(old_way(text) for _, text in attacks(place)) >= (15 if place.links else 5)


NAMES = "data data-private secret.txt notes plan.txt up shortcut hop latest.txt home back circle"
ODD = ["", "%2e%2e", "...", "~", "C:", "\\..", "..\\", "\x00", "\u2025", " ", "CON", "a" * 300]
PIECES = st.sampled_from([*NAMES.split(" "), "..", ".", *ODD])
SEPARATORS = st.sampled_from(["/", "//", "\\", "/./"])


@st.composite
def paths(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(PIECES | st.text(max_size=6), max_size=8))
    text = "".join(piece + draw(SEPARATORS) for piece in pieces)
    return draw(st.sampled_from(["", "/", "{root}/", "{root}/data/", "{root}/data-"])) + text.rstrip("/")


@quick
@given(text=paths() | st.text())
def test_no_random_path_gets_out(place: Place, text: str) -> None:
    assert not place.gets_out(place.spelled(text))


@quick
@given(text=paths() | st.text())
def test_names_that_go_downwards_never_climb(place: Place, text: str) -> None:
    for windows in (False, True):
        with suppress(PathRefused):
            names = names_below(text, windows=windows)
            assert ".." not in names and all(name and "/" not in name for name in names)
            assert not (windows and any(map(means_more_on_windows, names)))
            assert os.path.normpath(place.data.joinpath(*names)).startswith(str(place.data))


@quick
@given(text=paths())
def test_by_the_rules_of_windows_no_random_path_gets_out_either(place: Place, text: str) -> None:
    with suppress(PathRefused):
        text = place.spelled(text)
        assert safe_path(place.data, text, windows=True).is_relative_to(place.data)
        base = list(place.data.parts[1:])
        walked = [] if text[:1] in ("/", "\\") else list(base)
        for name in re.split(r"[/\\]", text):  # as Windows walks
            if name == "..":
                walked = walked[:-1]
            elif name not in ("", "."):
                walked.append(name)
        assert walked[: len(base)] == base and not any(map(means_more_on_windows, walked[len(base) :]))


@pytest.mark.skipif(not POSIX, reason="there, some of these names are devices, streams or drives")
@quick
@given(
    names=st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
)
def test_what_only_goes_down_is_never_refused(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    names = [name for name in names if name not in (".", "..") and len(name.encode()) < 200]
    folder = tmp_path_factory.getbasetemp().resolve()
    assert safe_path(folder, "/".join(names), windows=False) == folder.joinpath(*names)
    if names and names[0][0] != "\\":
        assert names_below("/".join(names), windows=False) == names


@contextmanager
def swapping(monkeypatch: pytest.MonkeyPatch, change: object) -> Iterator[None]:
    """Let somebody change the folder in the moment between the look and the opening."""
    from labkit.defences import paths as module

    opened = module.open_folder

    def late(*args: object) -> object:
        change()  # type: ignore[operator]
        return opened(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(module, "open_folder", late)
        yield


@pytest.mark.skipif(not HELD, reason="this system cannot hold folders; the race is narrowed, not closed")
def test_a_link_that_is_put_there_between_look_and_opening_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path.resolve())
    notes, aside = place.data / "notes", place.data / "aside"

    def exchange() -> None:
        notes.rename(aside)
        notes.symlink_to("../data-private")

    place.put(place.root / "data-private/costs.txt", CANARY)
    with swapping(monkeypatch, exchange), pytest.raises(PathRefused, match="exchanged for a link meanwhile") as seen:
        open_below(place.data, "notes/costs.txt")
    assert isinstance(seen.value.__cause__, LinkRefused)
    with swapping(monkeypatch, lambda: None), pytest.raises(PathRefused, match="leads out of the folder"):
        write_below(place.data, "notes/planted.txt", b"x")
    notes.unlink()
    aside.rename(notes)
    with swapping(monkeypatch, exchange), pytest.raises(PathRefused, match="nothing is written"):
        write_below(place.data, "notes/planted.txt", b"x")
    assert not (place.root / "data-private/planted.txt").exists()


def test_files_are_written_and_read_below(place: Place) -> None:
    write_below(place.data, "notes/../new.txt", b"one")
    with pytest.raises(FileExistsError):
        write_below(place.data, "new.txt", b"two")
    write_below(place.data, "new.txt", b"two", overwrite=True)
    with open_below(place.data, "./new.txt") as file:
        assert file.read() == b"two"
    for path, error in (("nothing.txt", FileNotFoundError), ("notes", IsADirectoryError), (".", IsADirectoryError)):
        with pytest.raises(error):
            open_below(place.data, path)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("../secret.txt", PathRefused, "'../secret.txt' leads out of the folder: name something below it"),
        ("a\x00b", NameRefused, r"'a\\x00b' cannot be the name of a file: it holds a zero"),
        ("a\udcffb", NameRefused, "it holds half of a character"),
        ("a" * (LONGEST + 1), NameRefused, "a path may have 4096 characters, not 4097"),
    ],
)
def test_a_refusal_says_why_and_what_to_do(place: Place, text: str, kind: type[PathRefused], said: str) -> None:
    with pytest.raises(kind, match=said):
        safe_path(place.data, text)


@pytest.mark.parametrize("text", ["../" * LONGEST, "/" * (LONGEST + 1), "a\0" * LONGEST])
def test_a_refusal_is_no_longer_than_what_it_quotes_may_be(place: Place, text: str) -> None:
    for refuse in (lambda: names_below(text), lambda: safe_path(place.data, text)):
        with pytest.raises(NameRefused) as seen:
            refuse()
        assert len(str(seen.value)) < 100


def test_a_root_may_be_reached_through_a_link(place: Place, tmp_path: Path) -> None:
    if not place.links:
        pytest.skip("this system does not let us make links")
    (tmp_path / "alias").symlink_to(place.data)
    assert safe_path(tmp_path / "alias", "plan.txt") == place.data / "plan.txt"
    assert safe_path(tmp_path / "alias", f"{tmp_path}/alias/plan.txt") == place.data / "plan.txt"

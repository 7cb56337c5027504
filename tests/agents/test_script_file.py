"""Scripts of models in TOML files: what they do, and what is said about one that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import labkit as lab
from labkit.agents import ModelError, ScriptedModel, ToolResult, Usage, run
from labkit.agents.model import Tool
from labkit.agents.script_file import ScriptError

pytestmark = pytest.mark.anyio
EXAMPLE = Path(lab.agents.__file__).parent / "examples" / "sharing.toml"


class Box:
    """Answers by the name of the tool, and writes down what it was given."""

    def __init__(self, **answers: str | Exception) -> None:
        self.answers, self.given = answers, list[tuple[str, dict[str, Any]]]()

    async def tools(self) -> list[Tool]:
        return [Tool(name) for name in self.answers]

    async def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        self.given.append((name, arguments))
        answer = self.answers[name]
        return ToolResult(str(answer), isinstance(answer, Exception))


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def writing(text: str, name: str = "case.toml") -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return writing


async def test_the_example_runs() -> None:
    model = ScriptedModel.from_toml(EXAMPLE)
    async with await lab.connect("calculator") as calc:
        told = await run(model, "Share 17 and 25.", {"calc": calc})
        again = await run(model, "Share 17 and 25.", {"calc": calc})
    assert (told.model, told.ended, told.steps) == ("sharing", "answered", 4)
    assert told.text == again.text == "You asked: Share 17 and 25. Each gets 21, of 42."
    assert told.called("calc.divide") == [{"a": 42, "b": 0}, {"a": 42, "b": 2}]
    assert [done.is_error for done in told.calls] == [False, True, False, False]


async def test_what_came_is_filled_in(write: Any) -> None:
    script = write("""
        answer = "{{{found.rows.0.name}}} {number} {found.rows.1} {task}"
        name = "filler"
        usage = { read = 10, written = 2 }
        [[steps]]
        call = "find"
        as = "found"
        [[steps]]
        together = [{ call = "count", as = "number" }, { call = "say", as = "said" }]
        [[steps]]
        call = "take"
        [steps.arguments]
        all = "{found}"
        row = "{found.rows.0}"
        mixed = ["{number}", "no. {number}", "{said}", 7, { deep = "{found.rows.0.n}{{}}" }]
    """)
    box = Box(find='{"rows": [{"name": "Äda", "n": [1]}, {"x": "é"}]}', count="007", say="{hi", take="ok")
    told = await run(ScriptedModel.from_toml(script), "the {task}", box)
    assert told.text == '{Äda} 007 {"x": "é"} the {task}' and told.usage == Usage(40, 8) and told.model == "filler"
    assert box.given[-1][1] == {
        "all": {"rows": [{"name": "Äda", "n": [1]}, {"x": "é"}]},
        "row": {"name": "Äda", "n": [1]},
        "mixed": ["007", "no. 007", "{hi", 7, {"deep": "[1]{}"}],
    }


@pytest.mark.parametrize(
    ("step", "answer", "said"),
    [
        (
            'call = "go"',
            ValueError("no way"),
            r"case\.toml, line 2: steps\[1\]: go failed: no way\. Mend what it calls",
        ),
        ('call = "go"\nfails = true', "fine", r"go was to fail, and gave: fine"),
        ('call = "go"\nfails = "zero"', ValueError("nil"), r"go was to fail with 'zero', and did with: nil"),
        (
            'call = "go"\nas = "x"\n[[steps]]\ncall="go"\narguments = { a = "{x.rows.2}" }',
            '{"rows": [1]}',
            r"line 5: steps\[2\]: \{x\.rows\.2\}: there is no '2' in \[1\]",
        ),
    ],
)
async def test_what_comes_otherwise_than_written_ends_it(write: Any, step: str, answer: Any, said: str) -> None:
    model = ScriptedModel.from_toml(write(f'answer = "done"\n[[steps]]\n{step}'))
    with pytest.raises(ModelError, match=said):
        await run(model, "Go.", Box(go=answer))
    if isinstance(answer, Exception):
        expected = write('answer = "done"\n[[steps]]\ncall = "go"\nfails = "n"')
        assert (await run(ScriptedModel.from_toml(expected), "Go.", Box(go=answer))).text == "done"


HEAD = 'answer = "a"\n\n'
WRONG = {
    "no toml": ("answer = \n", r"is not TOML: .*line 1"),
    "no answer": ('name = "x"\n', r"line 1: 'answer' is a required property"),
    "unknown key": (HEAD + "speed = 3\n", r"line 3: speed: this means nothing here\. It may have: answer"),
    "misspelt": (
        HEAD + '[[steps]]\ncall = "a"\nargumets = {}\n',
        r"line 5: steps\[1\]\.argumets: .*mean 'arguments'\?",
    ),
    "second step": (
        HEAD + '[[steps]]\ncall = "a"\n[[steps]]\n# x\ncall = 3\n',
        r"line 7: steps\[2\]\.call: 3 is not of",
    ),
    "neither": (HEAD + "[[steps]]\narguments = {}\n", r"line 3: steps\[1\]: 'call' is a required property"),
    "both": (
        HEAD + '[[steps]]\ncall = "a"\ntogether = [{call = "b"}]\n',
        r"line 4: steps\[1\]\.call: this means nothing",
    ),
    "none together": (HEAD + "[[steps]]\ntogether = []\n", r"line 4: steps\[1\]\.together: \[\] should be non-empty"),
    "in the second": (
        HEAD + '[[steps]]\ntogether = [\n  { call = "a", as = "x" },\n  { call = "b", as = "1" },\n]\n',
        r"line 6: steps\[1\]\.together\[2\]\.as: '1' does not match",
    ),
    "task": (HEAD + '[[steps]]\ncall = "a"\nas = "task"\n', r"line 5: steps\[1\]\.as: \{task\} is what the user asked"),
    "twice": (
        HEAD + '[[steps]]\ncall = "a"\nas = "x"\n[[steps]]\ncall = "a"\nas = "x"\n',
        r"line 8: steps\[2\]\.as: 'x' is the name of an earlier result",
    ),
    "too early": (
        HEAD + '[[steps]]\ntogether = [{call = "a", as = "x"}, {call = "b", arguments = {a = "{x}"}}]\n',
        r"line 4: steps\[1\]\.together\[2\]\.arguments\.a: nothing called 'x' has come by then\. There is: task",
    ),
    "misspelt name": (
        'answer = "{totl}"\n[[steps]]\ncall = "a"\nas = "total"\n',
        r"line 1: answer: nothing called 'totl' .* Did you mean 'total'\?",
    ),
    "brace": ('answer = "a } b"\n', r"line 1: answer: a '\}' alone: write '\}\}' for a brace"),
    "date": (
        HEAD + '[[steps]]\ncall = "a"\narguments.day = 2026-11-30\n',
        r"line 5: .*day: 2026-11-30 is nothing that JSON",
    ),
    "nan": (HEAD + '[[steps]]\ncall = "a"\narguments = { n = nan }\n', r"line 5: .*n: nan is nothing that JSON has"),
    "tokens": (HEAD + "usage = { read = -1 }\n", r"line 3: usage\.read: -1 is less than the minimum"),
    "no table": ('answer = "a"\nsteps = 3\n', r"line 2: steps: 3 is not of type 'array'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_told_with_its_line(write: Any, kind: str) -> None:
    text, said = WRONG[kind]
    with pytest.raises(ScriptError, match=said):
        ScriptedModel.from_toml(write(text))


def test_all_mistakes_are_told_at_once_and_files_that_are_none(write: Any, tmp_path: Path) -> None:
    with pytest.raises(ScriptError) as caught:
        ScriptedModel.from_toml(write("speed = 1\n[[steps]]\ncall = 1\n"))
    assert len(str(caught.value).splitlines()) == 3
    with pytest.raises(ScriptError, match="cannot be read"):
        ScriptedModel.from_toml(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b'answer = "\xe4"')
    with pytest.raises(ScriptError, match="cannot be read"):
        ScriptedModel.from_toml(tmp_path / "latin.toml")

"""Code helper: prompts that a user picks, fills in and sends. No tools at all.

Run it by itself (it speaks MCP on stdin and stdout): python servers/code_helper/server.py

Worth noticing:
- a prompt is a list of messages: instructions, a word of the assistant that sets the course, an embedded resource;
- arguments of prompts are text without a schema, so they are checked here, and a refusal says what to write instead;
- completion helps to fill them in; what it offers for one argument may depend on another (questions on the dataset);
- what the user pastes is put in a fence that it cannot end, so that it stays material and does not become instruction.
"""

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import mcp_types as types
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import AssistantMessage, UserMessage
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from pydantic import Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.code_helper.datasets import DATASETS

MAX_CODE = 50_000
LANGUAGES = [
    "bash", "c", "c#", "c++", "css", "dart", "go", "haskell", "html", "java", "javascript", "julia", "kotlin", "lua",
    "perl", "php", "python", "r", "ruby", "rust", "scala", "sql", "swift", "typescript", "zig",
]  # fmt: skip
LEVELS = {
    "beginner": "somebody who is learning to program: say what each part does, and explain every technical word",
    "developer": "a developer who is new to this code: purpose first, then how the parts work together",
    "expert": "an expert: leave out the obvious, name the ideas behind it, the costs and the edge cases",
}
FOCUSES = {
    "bugs": "wrong results, edge cases, missing error handling",
    "security": "untrusted input, injection, secrets, unsafe calls",
    "performance": "needless work, growth with the size of the input, waiting",
    "style": "names, structure, what a reader would stumble over",
}

server = MCPServer(
    "code_helper",
    title="Code helper",
    version="1.0.0",
    instructions="Prompts for explaining and reviewing code, and for analysing the datasets at data://datasets.",
    log_level="WARNING",
)

Code = Annotated[str, Field(description="The code.")]
Language = Annotated[str, Field(description="Programming language; completes. May be left out.")]


@server.prompt(title="Explain code")
def explain_code(
    code: Code,
    language: Language = "",
    level: Annotated[str, Field(description="For whom: beginner, developer or expert.")] = "developer",
) -> list[UserMessage]:
    """Explain a piece of code, for a reader of your choice."""
    audience = chosen("level", level, LEVELS)
    return [
        UserMessage(
            f"Explain the {named(language)}below to {LEVELS[audience]}. "
            "Go through it in the order in which it runs, and end with one sentence that says what it is for."
        ),
        UserMessage(fenced(code, language)),
    ]


@server.prompt(title="Review code")
def review_code(
    code: Code,
    language: Language = "",
    focus: Annotated[str, Field(description="bugs, security, performance or style; several with commas.")] = "bugs",
) -> list[Any]:
    """Review a piece of code, with one or more things to look for."""
    wanted = list(dict.fromkeys(chosen("focus", part.strip(), FOCUSES) for part in focus.split(",")))
    return [
        UserMessage(
            f"Review the {named(language)}below. Look for:\n"
            + "\n".join(f"- {name}: {FOCUSES[name]}" for name in wanted)
            + "\nFor each finding give the line, why it matters, and a better version. If there is none, say so."
        ),
        UserMessage(fenced(code, language)),
        # Words put into the assistant's mouth: the answer goes on from here.
        AssistantMessage("I will report findings by importance, the gravest first, and leave out matters of taste."),
        UserMessage("Go ahead."),
    ]


@server.prompt(title="Analyse data")
def data_analysis(
    dataset: Annotated[str, Field(description="Name of a dataset; completes.")],
    question: Annotated[str, Field(description="What to find out; completes with questions that suit the dataset.")],
) -> list[Any]:
    """Answer a question about a dataset, which is embedded in the prompt."""
    name = chosen("dataset", dataset, DATASETS)
    if not question.strip():
        raise refused(f"question is empty: ask something, such as {DATASETS[name].questions[0]!r}")
    table = types.TextResourceContents(uri=f"data://{name}", mime_type="text/csv", text=DATASETS[name].csv())
    return [
        UserMessage(
            f"You are given a table: {DATASETS[name].title}, with the columns {', '.join(DATASETS[name].columns)}. "
            "Before you calculate, look for missing and impossible values and say how you treat them."
        ),
        UserMessage(types.EmbeddedResource(resource=table)),
        AssistantMessage("I have read the table. What would you like to know?"),
        UserMessage(question.strip()),
    ]


@server.resource("data://datasets", name="datasets", title="Datasets", mime_type="application/json")
def datasets() -> str:
    """The datasets there are: names, columns, and what one could ask."""
    listed = [
        {"name": name, "uri": f"data://{name}", "title": d.title, "columns": d.columns, "questions": d.questions}
        for name, d in DATASETS.items()
    ]
    return json.dumps({"datasets": listed}, indent=2)


@server.resource("data://{dataset}", name="dataset", title="A dataset", mime_type="text/csv")
def dataset(dataset: str) -> str:
    """One dataset as CSV."""
    if dataset not in DATASETS:
        raise ResourceNotFoundError(f"there is no dataset {dataset!r}: there are {', '.join(DATASETS)}")
    return DATASETS[dataset].csv()


@server.completion()
async def complete(
    ref: types.PromptReference | types.ResourceTemplateReference,
    argument: types.CompletionArgument,
    context: types.CompletionContext | None,
) -> types.Completion | None:
    """Values for every argument but the code itself."""
    others = (context.arguments if context else None) or {}
    offers: dict[str, list[str]] = {
        "language": LANGUAGES,
        "level": list(LEVELS),
        "focus": list(FOCUSES),
        "dataset": list(DATASETS),
        "question": [
            question
            for name, dataset in DATASETS.items()
            if others.get("dataset") in (None, "", name)
            for question in dataset.questions
        ],
    }
    if argument.name not in offers:
        return None
    # "bugs,se" completes its last part, and keeps what is already there.
    before, typed = "", argument.value
    if argument.name == "focus" and "," in typed:
        kept, _, typed = typed.rpartition(",")
        before = kept + ","
    values = [
        before + value
        for value in offers[argument.name]
        if value.casefold().startswith(typed.strip().casefold()) and value not in before.split(",")
    ]
    return types.Completion(values=values, total=len(values), has_more=False)


def refused(message: str) -> MCPError:
    return MCPError(types.INVALID_PARAMS, message)


def chosen(argument: str, value: str, known: dict[str, Any]) -> str:
    """One of the known values, in any letter case."""
    name = value.strip().casefold()
    if name not in known:
        raise refused(f"{argument} cannot be {value!r}: use {', '.join(list(known)[:-1])} or {list(known)[-1]}")
    return name


def named(language: str) -> str:
    """ "python code ", or "code "."""
    # Any language will do, a sentence will not: it would become part of the instructions.
    if not re.fullmatch(r"[\w+#.-]{0,30}", language.strip()):
        raise refused(f"language cannot be {language[:60]!r}: write one name, such as python, or leave it out")
    return f"{language.strip()} code ".lstrip()


def fenced(code: str, language: str) -> str:
    """The code between fences that are longer than any inside it, so that it cannot end them."""
    if not code.strip():
        raise refused("code is empty: paste the code to look at")
    if len(code) > MAX_CODE:
        raise refused(f"code has {len(code)} characters, more than {MAX_CODE}: paste the part that matters")
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language.strip()}\n{code.rstrip()}\n{fence}"


if __name__ == "__main__":
    server.run()

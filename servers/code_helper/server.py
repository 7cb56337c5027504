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
MAX_ERROR = 10_000
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

GOALS = {
    "readability": "names that say what a thing is, one job for each function, less nesting",
    "testability": "no hidden inputs, effects kept at the edge, parts that can be called alone",
    "duplication": "what is written more than once, and what only looks as if it were",
    "types": "data that cannot be in a state that makes no sense",
}

server = MCPServer(
    "code_helper",
    title="Code helper",
    version="1.0.0",
    instructions="Prompts for explaining, reviewing and mending code, and for analysing the datasets at data://datasets.",
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


@server.prompt(title="Explain an error")
def explain_error(
    error: Annotated[str, Field(description="The message, with its traceback if there is one.")],
    code: Annotated[str, Field(description="The code that it comes from. May be left out.")] = "",
    language: Language = "",
) -> list[UserMessage]:
    """Explain an error message: what it means, where it comes from, and how to be rid of it."""
    kind = named(language)
    where = f"It comes from the {kind}that follows. " if code.strip() else f"The {kind}is not at hand. "
    asked = [
        UserMessage(
            "Explain the error below: what it says in plain words, the line and the value that cause it, and the "
            f"smallest change that mends the cause and does not only hide the message. {where}"
            "If several causes are possible, name them with what would tell them apart."
        ),
        UserMessage(fenced(error, "text", "error", MAX_ERROR)),
    ]
    return [*asked, UserMessage(fenced(code, language))] if code.strip() else asked


@server.prompt(title="Suggest a refactoring")
def suggest_refactor(
    code: Code,
    language: Language = "",
    goal: Annotated[str, Field(description="readability, testability, duplication or types.")] = "readability",
) -> list[Any]:
    """Suggest how to rewrite code without changing what it does."""
    wanted = chosen("goal", goal, GOALS)
    return [
        UserMessage(
            f"Suggest a refactoring of the {named(language)}below, for {wanted}: {GOALS[wanted]}. What it does for its "
            "callers stays the same: results, errors, order of effects. Go in steps that each leave it working, show "
            "the code after each, and name the tests that have to be there before the first."
        ),
        UserMessage(fenced(code, language)),
        AssistantMessage("First I will say what the code does now, so that you can see that it stays."),
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
    """Values for every argument but what is pasted."""
    others = (context.arguments if context else None) or {}
    offers: dict[str, list[str]] = {
        "language": LANGUAGES,
        "level": list(LEVELS),
        "focus": list(FOCUSES),
        "goal": list(GOALS),
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


def fenced(pasted: str, language: str, argument: str = "code", most: int = MAX_CODE) -> str:
    """What was pasted between fences that are longer than any inside it, so that it cannot end them."""
    if not pasted.strip():
        raise refused(f"{argument} is empty: paste the {argument} to look at")
    if len(pasted) > most:
        raise refused(f"{argument} has {len(pasted)} characters, more than {most}: paste the part that matters")
    longest = max((len(run) for run in re.findall("`+", pasted)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language.strip()}\n{pasted.rstrip()}\n{fence}"


if __name__ == "__main__":
    server.run()

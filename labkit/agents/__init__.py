"""Agents: the loop between a model and tools, and models that need no key.

    from labkit.agents import ObedientModel, run
    told = await run(ObedientModel(), "Add 2 and 3.", {"calc": calc})      # calc: a labkit connection
    told.text, told.calls, told                                            # the answer, each call, the whole transcript

| module | what it has |
|---|---|
| `model` | what a model is given and what it returns: messages, tools, calls; the protocol `Model` |
| `toolbox` | the tools of several connections, their names kept apart |
| `loop` | `run`: ask the model, make its calls, feed back what came, until it answers |
| `limits` | what a run may take: calls, tokens, money |
| `context` | who the user is, put into calls by code |
| `handoff` | agents that hand a conversation over |
| `transcript` | what was said and done, in order |
| `scripted`, `script_file` | a model that is plain Python, or a TOML file |
| `obedient` | a model that follows instructions wherever it reads them |
| `real` | `model_from_environment`: a model of Anthropic or OpenAI, when a key is set, whole or streamed |
| `openai_agents` | these models and connections under the loop of the package `openai-agents` |
"""

from __future__ import annotations

from labkit.agents.context import Injected
from labkit.agents.handoff import Agent, run_agent
from labkit.agents.limits import Limits, Prices
from labkit.agents.loop import Gate, patience, run
from labkit.agents.model import Message, Model, ModelBusyError, ModelError, Reply, Tool, ToolCall, Usage
from labkit.agents.obedient import ObedientModel
from labkit.agents.real import model_from_environment
from labkit.agents.scripted import ScriptedModel, call
from labkit.agents.toolbox import Connections, Toolbox, ToolResult, opened
from labkit.agents.transcript import Transcript

__all__ = [
    "Agent",
    "Connections",
    "Gate",
    "Injected",
    "Limits",
    "Message",
    "Model",
    "ModelBusyError",
    "ModelError",
    "ObedientModel",
    "Prices",
    "Reply",
    "ScriptedModel",
    "Tool",
    "ToolCall",
    "ToolResult",
    "Toolbox",
    "Transcript",
    "Usage",
    "call",
    "model_from_environment",
    "opened",
    "patience",
    "run",
    "run_agent",
]

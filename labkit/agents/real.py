"""Real models over the official SDKs, when a key is set: the same loop, tools and gates, with somebody who thinks.

    model = model_from_environment() or ObedientModel()
    model = model_from_environment(on_text=lambda text: print(text, end=""))      # what it says, as it comes

| variable | what it does |
|---|---|
| `ANTHROPIC_API_KEY`, `OPENAI_API_KEY` | which model there is; the first of the two that is set |
| `ANTHROPIC_BASE_URL`, `OPENAI_BASE_URL` | another address that speaks the same protocol |
| `LAB_MODEL` | which model to ask for, instead of a small one |

The packages `anthropic` and `openai` are imported when they are needed, and need not be installed without a key. The
SDKs' own retries are off: `run` asks again, and layers that both retry multiply. Whoever opens a model closes it:
`await model.close()`.

Without `on_text` a reply is taken whole. With it, a function or a coroutine function, the reply is streamed, and the
hook is given each piece of text. Calls come in pieces too: they are put together, and made when the reply is complete.
A stream that breaks is a ModelBusyError, and nothing of it is done; who asks again gives the hook the text again, from
the start. Cancelling a reply, or a hook that raises, closes the stream.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from labkit.agents.real_anthropic import AnthropicModel
from labkit.agents.real_openai import OpenAIModel
from labkit.agents.service import OnText

__all__ = ["AnthropicModel", "OpenAIModel", "model_from_environment"]


def model_from_environment(
    environ: Mapping[str, str] | None = None, *, on_text: OnText | None = None
) -> AnthropicModel | OpenAIModel | None:
    """The model of the first key that is set; None without one. Raises ModelError when its package is not installed."""
    env = os.environ if environ is None else environ
    for kind, word in ((AnthropicModel, "ANTHROPIC"), (OpenAIModel, "OPENAI")):
        if key := env.get(f"{word}_API_KEY"):
            return kind(key, env.get("LAB_MODEL", ""), base_url=env.get(f"{word}_BASE_URL") or None, on_text=on_text)
    return None

"""fails: limit
why: The first request is counted as a round.
"""

import itertools
import json


async def call(send, method, params, handlers, rounds):
    """The response that ends the call. Raises TooManyRounds, Unanswerable, InvalidResult."""
    more = {}
    for id in itertools.count(1):
        response = await send({"jsonrpc": "2.0", "id": id, "method": method, "params": {**params, **more}})
        result = response.get("result", {})
        kind = result.get("resultType", "complete")
        if kind == "complete":
            return response
        if kind != "input_required":
            raise InvalidResult(kind)
        if id >= rounds:
            raise TooManyRounds
        more = await wanted(result, handlers)


async def wanted(result, handlers):
    """What this result wants to have in the next request."""
    more = {}
    if "requestState" in result:
        more["requestState"] = result["requestState"]
    if "inputRequests" in result:
        questions = result["inputRequests"]
        for question in questions.values():
            if question["method"] not in handlers:
                raise Unanswerable(question["method"])
        more["inputResponses"] = {
            key: await handlers[question["method"]](question["params"]) for key, question in questions.items()
        }
    return more


class TooManyRounds(Exception):
    """The server goes on asking."""


class Unanswerable(Exception):
    """The server asks for something that nobody here answers; the message is the method."""


class InvalidResult(Exception):
    """A result of a kind that this client does not know; the message is the kind."""


# For the checks: a server that replies from a script, and users who do, too. Leave it as it is.
async def rehearse(method, params, script, answers, rounds):
    before, sent, asked = json.dumps(params), [], []

    async def send(frame):
        sent.append(json.loads(json.dumps(frame)))
        return {"jsonrpc": "2.0", "id": frame["id"], **script[len(sent) - 1]}

    def user(kind):
        async def answer(params):
            asked.append([kind, params])
            return answers[kind][params["message"]]

        return answer

    try:
        said = {"reply": await call(send, method, params, {kind: user(kind) for kind in answers}, rounds)}
    except (TooManyRounds, Unanswerable, InvalidResult) as error:
        said = {"raised": type(error).__name__, "says": str(error)}
    return {**said, "sent": sent, "asked": asked, "params as before": json.dumps(params) == before}

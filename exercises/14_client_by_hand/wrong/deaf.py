"""fails: asked
why: Who offers nothing is asked nothing, one thinks: the server's requests are passed over like notifications.
"""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE

LONGEST = 2**24


async def ask(start, requests, patience):
    """Ask a server all of these at once: its answers, in the order of the requests, and what it ended with."""
    process = await start(stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=LONGEST)
    for id, request in enumerate(requests):
        write(process, {"id": id, **request})
    answers = {}
    while len(answers) < len(requests):
        line = await process.stdout.readline()
        if not line:
            break  # the server has ended, and will answer nothing more
        frame = read(line)
        if "method" in frame:
            continue
        elif frame.get("id") in range(len(requests)):
            answers.setdefault(frame["id"], frame)
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), patience)
    except TimeoutError:
        process.kill()
        await process.wait()
    return {"answers": [answers.get(id) for id in range(len(requests))], "code": process.returncode}


def write(process, frame):
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n")


def read(line):
    """The frame of a line; an empty one for a line that holds none."""
    try:
        frame = json.loads(line)
    except ValueError:
        return {}
    return frame if isinstance(frame, dict) else {}


def reply(frame):
    """What a client that can do nothing replies to a request."""
    if frame["method"] == "ping":
        return {"result": {}}
    return {"error": {"code": -32601, "message": "Method not found"}}


# Leave it as it is: a check puts rehearsal.py beside this file.
async def rehearse(script, requests, patience):
    from rehearsal import play

    return await play(ask, script, requests, patience)

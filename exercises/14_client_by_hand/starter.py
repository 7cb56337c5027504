async def ask(start, requests, patience):
    """Ask a server all of these at once: its answers, in the order of the requests, and what it ended with."""
    raise NotImplementedError


# Leave it as it is: a check puts rehearsal.py beside this file.
async def rehearse(script, requests, patience):
    from rehearsal import play

    return await play(ask, script, requests, patience)

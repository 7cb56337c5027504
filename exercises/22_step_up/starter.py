def next_request(status, challenge, client):
    """The parameters of the next authorization request; None when there is nothing to ask for."""
    if status != 403:
        return None
    scope = challenge.split('scope="')[1].split('"')[0]
    return {"response_type": "code", "client_id": client["client_id"], "scope": scope}

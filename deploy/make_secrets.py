"""Make the secrets of one deployment: files in deploy/secrets, which git and image builds leave out.

    python deploy/make_secrets.py [FOLDER]

A file that is there stays as it is. For Kubernetes, the same files:

    kubectl -n mcp create secret generic mcp-lab --from-file=database_url=deploy/secrets/database_url \\
        --from-file=redis_url=... --from-file=signing_secret=... --from-file=client_key_sha256=...
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path


def make(folder: Path) -> list[str]:
    """Write what is missing; the names of the files that were made."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    made: list[str] = []

    def keep(name: str, value: str) -> str:
        file = folder / name
        if file.exists():
            return file.read_text(encoding="utf-8").strip()
        # Readable, because the account in the container is another one; the folder is what keeps others out.
        file.write_text(value, encoding="utf-8", newline="\n")
        made.append(name)
        return value

    def random() -> str:
        return os.urandom(24).hex()

    password = keep("postgres_password", random())
    keep("database_url", f"postgresql://mcp:{password}@postgres:5432/company")
    keep("redis_url", "redis://redis:6379/0")
    keep("signing_secret", random())
    keep("client_key_sha256", hashlib.sha256(keep("client_key", random()).encode()).hexdigest())
    keep("grafana_password", random())
    return made


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("secrets")
    print(f"{place}: made {', '.join(make(place)) or 'nothing, all was there'}")

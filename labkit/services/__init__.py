"""Real PostgreSQL and Redis on loopback, without root, in a terminal or a notebook:

    labkit services up postgres redis          lab.services.up("postgres", "redis")
    labkit services status                     lab.services.status()
    labkit services down                       lab.services.down()

The programs are those of the machine, or come with `python start.py setup --extras`. Data, log and password of each lie
below work/services (LAB_SERVICES names another folder). What `up` started runs until `down`, whoever asks for either:
state is kept in files, so a notebook, a terminal and a test may all look after the same server. `Temporary` is for
services that end with a test or a notebook.

What a server program of the lab uses is chosen by URL: DATABASE_URL and REDIS_URL, embedded ones by default.
"""

from __future__ import annotations

from labkit.services.control import Table as Table
from labkit.services.control import database_url as database_url
from labkit.services.control import down as down
from labkit.services.control import redis_url as redis_url
from labkit.services.control import status as status
from labkit.services.control import up as up
from labkit.services.control import url as url
from labkit.services.service import ServiceError as ServiceError
from labkit.services.service import ServiceMissingError as ServiceMissingError
from labkit.services.service import Status as Status
from labkit.services.store import Store as Store
from labkit.services.store import open_store as open_store
from labkit.services.temporary import Temporary as Temporary

__all__ = [
    "ServiceError",
    "ServiceMissingError",
    "Status",
    "Store",
    "Table",
    "Temporary",
    "database_url",
    "down",
    "open_store",
    "redis_url",
    "status",
    "up",
    "url",
]

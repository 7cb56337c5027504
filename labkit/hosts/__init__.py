"""Hosts and their configuration files: Claude Desktop, Claude Code, Cursor, VS Code, Zed, Continue, and any mcp.json.

    entry = read_host_config("mcp.json", "weather")        # what a file says
    add(HOSTS["cursor"].file(), entry, HOSTS["cursor"])    # written into a host's own file, all else left as it is
    mistakes(HOSTS["cursor"], HOSTS["cursor"].file())      # what the host will stumble over, and what mends it

`labkit hosts` is the same in a terminal, and starts entries as their host would.
"""

from __future__ import annotations

from labkit.hosts.reading import HostEntry as HostEntry
from labkit.hosts.reading import HostFile as HostFile
from labkit.hosts.reading import check_entry as check_entry
from labkit.hosts.reading import expand as expand
from labkit.hosts.reading import read_host_config as read_host_config
from labkit.hosts.reading import read_host_file as read_host_file

"""Close the file system to this process with Landlock, where Linux has it (5.13 and later). No privileges needed.

Loaded by path from subject.py, as guard.py is. Unlike the refusals there, this holds against C code and against root:
the kernel refuses whatever is not below one of the folders named here, for this process and all it starts.
Interface: Documentation/userspace-api/landlock.rst in the kernel sources.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same system call numbers on every architecture
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_LINKS_AND_DEVICES = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12
"""Making character devices, sockets, pipes, block devices and symbolic links: the judge, which may write everywhere,
puts files into the folder, and would follow what an answer had put there."""
_BITS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_BITS = 16
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc/self")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def version() -> int:
    """The version of Landlock that this kernel offers, 0 for none."""
    if sys.platform != "linux":
        return 0
    try:
        return max(0, _libc().syscall(_CREATE, None, ctypes.c_size_t(0), 1))
    except (OSError, AttributeError):
        return 0


def close_files(folder: str, package: str, forbidden: tuple[str, ...]) -> bool:
    """From now on, allow reading Python, the system and `package`, and all but links in `folder`; refuse all else.

    Returns False, with nothing changed, where the kernel cannot do it, or where the `forbidden` folders lie inside of
    what Python needs to run.
    """
    abi = version()
    readable = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, sys.exec_prefix, package, *sys.path)}
    readable = {path for path in readable if os.path.exists(path)}  # noqa: PTH110
    closed = [os.path.realpath(path) for path in forbidden]
    inside = {path for path in readable if any(each == path or each.startswith(path + os.sep) for each in closed)}
    if not abi or inside & {os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix)}:
        return False
    everything = (1 << _BITS_BY_ABI.get(abi, _ALL_BITS)) - 1
    read = _EXECUTE | _READ_FILE | _READ_DIR
    allowed = [(path, read) for path in sorted(readable - inside)]
    allowed += [(path, read) for path in _SYSTEM]
    allowed += [(path, _READ_FILE | _WRITE_FILE) for path in _DEVICES]
    allowed.append((folder, everything & ~_LINKS_AND_DEVICES))
    libc = _libc()
    # Handled file accesses; from version 4 network (left open); from version 6 what may be reached outside: no signals.
    attributes = struct.pack("=QQQ", everything, 0, _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = libc.syscall(_CREATE, attributes[:size], ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        for path, access in allowed:
            _allow(libc, ruleset, path, access)
        return libc.prctl(38, 1, 0, 0, 0) == 0 and libc.syscall(_RESTRICT, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112
            access &= _EXECUTE | _WRITE_FILE | _READ_FILE
        rule = struct.pack("=Qi", access, fd)
        libc.syscall(_ADD, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)

"""A lock of the operating system on an open file: held by one process or thread, and ended with whoever holds it."""

from __future__ import annotations

import os


def try_lock(descriptor: int) -> bool:
    """Take the lock of an open file, or say that somebody else has it. Closing the file gives it back."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True

"""Frames and tapes: what went over a connection. Pure data, no I/O but saving to a file."""

from labkit.wire.compare import TapeDiff
from labkit.wire.frame import Direction, Frame
from labkit.wire.mask import is_credential, mask_headers, mask_url, mask_words
from labkit.wire.tape import Tape

__all__ = ["Direction", "Frame", "Tape", "TapeDiff", "is_credential", "mask_headers", "mask_url", "mask_words"]

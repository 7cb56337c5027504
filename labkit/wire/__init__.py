"""Frames and tapes: what went over a connection. Pure data, no I/O but saving to a file."""

from labkit.wire.compare import TapeDiff
from labkit.wire.frame import Direction, Frame
from labkit.wire.mask import mask_headers, mask_url, mask_words, sounds_secret
from labkit.wire.tape import Tape

__all__ = ["Direction", "Frame", "Tape", "TapeDiff", "mask_headers", "mask_url", "mask_words", "sounds_secret"]

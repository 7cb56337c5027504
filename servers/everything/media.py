"""A small picture and a short sound, made here instead of kept as files."""

from __future__ import annotations

import io
import math
import struct
import wave
import zlib


def png(width: int = 64, height: int = 64) -> bytes:
    """A colour gradient as a PNG file: signature, then header, pixels and end, each with length and checksum."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(
        b"\0" + b"".join(bytes((x * 255 // width, y * 255 // height, 160)) for x in range(width)) for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits per channel, red green blue
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def wav(seconds: float = 0.3, pitch: float = 440.0, rate: int = 8000) -> bytes:
    """A sine tone as a WAV file: one channel, 16 bits."""
    samples = (round(12000 * math.sin(2 * math.pi * pitch * n / rate)) for n in range(int(seconds * rate)))
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()

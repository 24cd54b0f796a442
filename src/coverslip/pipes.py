"""Messages between a process and those that it began: four bytes of length (big endian) and so many bytes of JSON."""

import json
from typing import IO, Any

Json = dict[str, Any]  # Any: JSON values
_LONGEST = 16 * 2**20


def write_message(stream: IO[bytes], message: Json, after: bytes | memoryview = b"") -> None:
    """Send one message, and the bytes that it announces, if any."""
    data = json.dumps(message, allow_nan=False).encode()
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.write(after)
    stream.flush()


def read_message(stream: IO[bytes]) -> Json | None:
    """Return the next message; None where the other side has ended."""
    head = stream.read(4)
    if len(head) < 4 or int.from_bytes(head, "big") > _LONGEST:
        return None
    data = stream.read(int.from_bytes(head, "big"))
    if len(data) < int.from_bytes(head, "big"):
        return None
    message: Json = json.loads(data)
    return message

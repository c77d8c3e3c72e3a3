"""What the engine and a process say to each other: a length in four bytes, then MessagePack.

Values of users stay the JSON that they are everywhere: nothing of theirs is unpickled.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

LENGTH = struct.Struct("!I")


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    pass


class RunThere(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a ``Job`` says of its run. ``event`` is JSON."""

    run_id: str
    workflow: str
    uid: str | None
    token: str
    callback_url: str
    event: bytes | None


class Begin(Message, frozen=True):
    """Do one attempt. ``limit`` is of its result; ``run`` is left out where nobody asks for it."""

    handler: str
    module: str
    qualname: str
    key: str
    attempt: int
    input: bytes | None
    limit: int
    run: RunThere | None = None


class Cancel(Message, frozen=True):
    """The kill comes soon."""


class End(Message, frozen=True):
    """There is nothing more to do."""


class Begun(Message, frozen=True):
    """The function is found: from now on the time counts."""


class Heard(Message, frozen=True):
    """The handler says that the work goes on."""


class Completed(Message, frozen=True):
    output: bytes


class Deferred(Message, frozen=True):
    pass


class Failed(Message, frozen=True):
    """``trace`` is for the log, as text: what the error holds stays in the process."""

    name: str
    message: str
    final: bool = False
    after: int | None = None
    trace: str = ""


Order = Begin | Cancel | End
Answer = Completed | Deferred | Failed
Word = Begun | Heard | Completed | Deferred | Failed

_encoder = msgspec.msgpack.Encoder()
ORDERS: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
WORDS: msgspec.msgpack.Decoder[Word] = msgspec.msgpack.Decoder(Word)


def framed(message: Message) -> bytes:
    data = _encoder.encode(message)
    return LENGTH.pack(len(data)) + data


class Frames:
    """Bytes in, whole messages out."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        buffer = self._bytes
        buffer += data
        while len(buffer) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(buffer)[0]
            if len(buffer) < end:
                return
            message = bytes(buffer[LENGTH.size : end])
            del buffer[:end]
            yield message

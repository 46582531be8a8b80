"""What parent and child say to each other: frames on a socket, arrays in sealed memory. Nothing is ever unpickled.

A frame is one byte of kind, four of length, and the payload. Arrays travel as descriptors of memory that nobody can
change any more (memfd with seals), so a child that has been running for long can be handed megabytes at once, and all
runs of an experiment read one copy. The parent trusts no byte of a frame; the child is free to send anything.
"""

import fcntl
import json
import mmap
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# child to parent: ready for work; how far; fit has returned; predictions; what went wrong
READY, PROGRESS, FITTED, PREDICTED, FAILED = b"R", b"P", b"F", b"Y", b"E"
# parent to child: the work, with two descriptors; the test inputs, with one
TASK, INPUTS = b"T", b"I"
HEADER = struct.Struct("<cI")
SHAPE = struct.Struct("<II")  # rows and columns before the float32 of PREDICTED
_ALIGN = 64
_ADD_SEALS, _SEAL_ALL = 1033, 1 | 2 | 4 | 8  # fcntl(2): against seals, shrinking, growing, writing


def send(channel: socket.socket, kind: bytes, payload: bytes = b"", fds: Sequence[int] = ()) -> None:
    """One frame, with descriptors. Raises: OSError, which includes time-outs."""
    data = HEADER.pack(kind, len(payload)) + payload
    sent = socket.send_fds(channel, [data], list(fds)) if fds else 0
    if sent < len(data):  # sending nothing would fail too, if a quick peer has read it all, answered, and ended
        channel.sendall(data[sent:])


def receive(channel: socket.socket) -> tuple[bytes, bytes, list[int]]:
    """One frame: (kind, payload, descriptors). For the child, which trusts its parent. Raises: EOFError."""
    head, fds, _, _ = socket.recv_fds(channel, HEADER.size, 4)
    if not head:
        raise EOFError
    head += _exactly(channel, HEADER.size - len(head))
    kind, length = HEADER.unpack(head)
    return kind, _exactly(channel, length), list(fds)


def _exactly(channel: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = channel.recv(length - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def pack(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> int:
    """A descriptor of sealed memory that holds JSON facts and arrays; the caller closes it."""
    places, offset = {}, 0
    for name, array in arrays.items():
        places[name] = (array.dtype.str, array.shape, offset)
        offset += -(-array.nbytes // _ALIGN) * _ALIGN
    head = json.dumps({"facts": facts, "arrays": places}, ensure_ascii=False, separators=(",", ":")).encode()
    start = -(-(HEADER.size + len(head)) // _ALIGN) * _ALIGN
    fd = os.memfd_create("aarweb", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, max(start + offset, 1))
        with mmap.mmap(fd, 0) as memory:
            memory[: HEADER.size + len(head)] = HEADER.pack(b"A", len(head)) + head
            for name, array in arrays.items():
                if array.size:
                    view = np.frombuffer(memory, array.dtype, array.size, start + places[name][2])
                    view.reshape(array.shape)[...] = array
                    del view
        fcntl.fcntl(fd, _ADD_SEALS, _SEAL_ALL)
    except BaseException:
        os.close(fd)
        raise
    return fd


def unpack(fd: int) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Facts and arrays of sealed memory, mapped, not copied; what is written into them stays with the writer."""
    memory = mmap.mmap(fd, 0, access=mmap.ACCESS_COPY)
    os.close(fd)
    _, length = HEADER.unpack(memory[: HEADER.size])
    head = json.loads(memory[HEADER.size : HEADER.size + length])
    start = -(-(HEADER.size + length) // _ALIGN) * _ALIGN
    arrays = {}
    for name, (kind, shape, offset) in head["arrays"].items():
        count = int(np.prod(shape))
        flat = np.frombuffer(memory, np.dtype(kind), count, start + offset) if count else np.empty(0, np.dtype(kind))
        arrays[name] = flat.reshape(shape)
    return head["facts"], arrays

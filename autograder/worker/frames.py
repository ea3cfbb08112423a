"""Frames between grader and worker: a typed JSON header and a safetensors payload, never pickle.

    frame = b"AGW1" | header bytes (u32) | payload bytes (u64) | header | payload

What arrives is bounded before it is read and validated while it is decoded; anything that does
not fit raises WireError. After decoding there are only exact plain tensors and the structs of wire.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec
import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError, TensorSpec

from autograder.worker.wire import FromGrader, FromWorker, WireError

MAX_HEADER_BYTES = 16 << 20
MAX_PAYLOAD_BYTES = 256 << 20
MAX_TENSORS = 20_000
_MAX_TABLE_BYTES = 128 * MAX_TENSORS  # of JSON at the head of a payload: dtype, shape and offsets

_HEAD = struct.Struct("<4sIQ")
_MAGIC = b"AGW1"
HEAD_BYTES = _HEAD.size

_encode = msgspec.json.Encoder().encode
M = TypeVar("M")


def pack(message: FromGrader | FromWorker, tensors: Sequence[torch.Tensor] = ()) -> bytes:
    """One frame as bytes. `tensors` must be plain, dense CPU tensors; each is written contiguously.

    Raises WireError where the frame would be larger than the other side accepts.
    """
    header = _encode(message)
    if len(tensors) > MAX_TENSORS or sum(t.nbytes for t in tensors) > MAX_PAYLOAD_BYTES:
        raise WireError(f"too much data for one answer: {len(tensors)} tensors")
    payload = _dump_table(tensors) if tensors else b""
    if len(header) > MAX_HEADER_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError(f"too much data for one answer: {len(header) + len(payload)} bytes")
    return b"".join((_HEAD.pack(_MAGIC, len(header), len(payload)), header, payload))


def frame_lengths(head: bytes) -> tuple[int, int]:
    """Lengths of header and payload, from the first HEAD_BYTES bytes of a frame."""
    magic, header, payload = _HEAD.unpack(head)
    if magic != _MAGIC:
        raise WireError("not a frame")
    if header > MAX_HEADER_BYTES or payload > MAX_PAYLOAD_BYTES:
        raise WireError(f"a frame of {header + payload} bytes is over the limit")
    return header, payload


class Decoder(Generic[M]):
    """Decodes header and payload of the frames of one direction."""

    def __init__(self, kind: object) -> None:
        self._decode: Callable[[bytes], M] = msgspec.json.Decoder(kind).decode

    def __call__(self, header: bytes, payload: bytes) -> tuple[M, list[torch.Tensor]]:
        try:
            message = self._decode(header)
            return message, _load_table(payload) if payload else []
        except (
            msgspec.MsgspecError,
            SafetensorError,
            ValueError,
            TypeError,
            KeyError,
            RuntimeError,
        ) as error:
            # RecursionError is a RuntimeError: a header nested too deeply ends here as well
            raise WireError(f"malformed frame: {type(error).__name__}: {str(error)[:200]}") from None


def _dump_table(tensors: Sequence[torch.Tensor]) -> bytes:
    # By address, which is five times faster than safetensors.torch.save for a table of small tensors.
    # Conjugates and negatives may be a mark on other values. All are held until the bytes are written.
    dense = [t.detach().resolve_conj().resolve_neg().contiguous() for t in tensors]
    return safetensors.serialize(
        {
            str(i): TensorSpec(
                dtype=str(t.dtype).removeprefix("torch."),
                shape=t.shape,
                data_ptr=t.data_ptr(),
                data_len=t.nbytes,
            )
            for i, t in enumerate(dense)
        }
    )


def _load_table(payload: bytes) -> list[torch.Tensor]:
    if int.from_bytes(payload[:8], "little") > _MAX_TABLE_BYTES:
        raise WireError(f"a table of more than {MAX_TENSORS} tensors")
    table = safetensors.torch.load(payload)
    tensors = [table[str(i)] for i in range(len(table))]
    for tensor in tensors:
        # any byte can be sent as a bool; one that is neither 0 nor 1 equals both True and False
        if tensor.dtype is torch.bool and bool((tensor.view(torch.uint8) > 1).any()):
            raise WireError("a bool that is neither true nor false")
    return tensors


from_grader: Decoder[FromGrader] = Decoder(FromGrader)
from_worker: Decoder[FromWorker] = Decoder(FromWorker)


def unpack_for_worker(frame: bytes) -> tuple[FromGrader, list[torch.Tensor]]:
    """A whole frame of the grader's, where both sides are one process."""
    header, _ = frame_lengths(frame[:HEAD_BYTES])
    return from_grader(frame[HEAD_BYTES : HEAD_BYTES + header], frame[HEAD_BYTES + header :])

"""Frames and values: what is sent arrives, and what was never sent is a WireError and nothing else."""

from __future__ import annotations

import json
import math
import random
import struct
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.worker import frames, wire
from autograder.worker.values import Lifting, Lowering, same_bits, set_generator_state

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.complex64),
]
SHAPES = st.lists(st.integers(0, 3), max_size=4)


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Of any dtype and shape, some of them views: transposed, expanded, sliced, shifted."""
    shape, dtype = draw(SHAPES), draw(st.sampled_from(DTYPES))
    values = torch.arange(math.prod(shape)).reshape(shape) % 7 - 3
    x = (values > 0) if dtype is torch.bool else values.to(dtype)
    if x.dtype.is_floating_point and draw(st.booleans()):
        x = torch.where(values == 1, math.nan, torch.where(values == 2, -math.inf, x.double())).to(dtype)
    view = draw(st.sampled_from(["plain", "transposed", "expanded", "sliced", "shifted"]))
    if view == "transposed":
        x = x.movedim(0, -1) if x.dim() else x
    elif view == "expanded":
        x = x.unsqueeze(0).expand(3, *x.shape)
    elif view == "sliced":
        x = x[..., ::2] if x.dim() else x
    elif view == "shifted":
        x = torch.cat([x.flatten(), x.flatten()])[x.numel() :].view(x.shape)
    if x.dtype.is_floating_point and draw(st.booleans()):
        x = x.detach().requires_grad_()
    return x


floats = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324])
integers = st.integers() | st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 10**300])
scalars = st.none() | st.booleans() | integers | floats | st.text()
keys = scalars.filter(lambda x: x == x)
values = st.recursive(
    scalars | tensors(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys | st.tuples(keys, keys), inner, max_size=3)
    ),
    max_leaves=8,
)


def over_the_wire(message: Any, table: list[torch.Tensor]) -> tuple[Any, list[torch.Tensor]]:
    frame = frames.pack(message, table)
    header, payload = frames.frame_lengths(frame[: frames.HEAD_BYTES])
    assert len(frame) == frames.HEAD_BYTES + header + payload
    body = frame[frames.HEAD_BYTES :]
    decode = (
        frames.from_grader if isinstance(message, wire.Request | wire.CallbackResult) else frames.from_worker
    )
    return decode(body[:header], body[header:])


def refuse(x: object) -> Any:
    raise AssertionError(f"{x!r} should travel as data")


def there_and_back(x: object, *, strides: bool) -> Any:
    lowering = Lowering(refuse, strides=strides)
    sent = wire.CallbackResult(lowering.value(x)) if strides else reply(wire.Returned(lowering.value(x)))
    message, table = over_the_wire(sent, lowering.tensors)
    value = message.value if strides else message.results[0].value
    return Lifting(table, 0, refuse, trusted=strides).value(value)


def reply(*results: wire.Result) -> wire.Reply:
    return wire.Reply(1, list(results), [0] * len(results))


def assert_same(got: Any, sent: Any) -> None:
    assert type(got) is type(sent)
    if isinstance(sent, torch.Tensor):
        assert same_bits(got, sent)
        assert got.requires_grad == sent.requires_grad
    elif isinstance(sent, list | tuple):
        assert len(got) == len(sent)
        for a, b in zip(got, sent, strict=True):
            assert_same(a, b)
    elif isinstance(sent, dict):
        assert_same(list(got), list(sent))
        assert_same(list(got.values()), list(sent.values()))
    elif isinstance(sent, float):
        assert struct.pack("d", got) == struct.pack("d", sent) or (math.isnan(got) and math.isnan(sent))
    else:
        assert got == sent


@settings(max_examples=300, deadline=None)
@given(values, st.booleans())
def test_a_value_arrives_as_it_was_sent(x, to_worker):
    assert_same(there_and_back(x, strides=to_worker), x)


@settings(deadline=None)
@given(tensors())
def test_a_tensor_keeps_its_strides_on_the_way_to_a_worker(x):
    got = there_and_back(x, strides=True)
    if x.numel() and not x.is_contiguous():
        assert got.stride() == x.stride()


@pytest.mark.parametrize(
    "view", [torch.conj, lambda x: x.conj().imag, torch.real], ids=["conj", "negative", "real"]
)
def test_a_lazy_conjugate_arrives_as_its_values(view):
    x = view(torch.tensor([1 + 2j, 3 - 4j]))
    assert there_and_back(x, strides=False).tolist() == x.tolist()


def test_a_tensor_passed_twice_is_one_tensor_there():
    x = torch.ones(2)
    a, [b, c], d = there_and_back((x, [x, torch.ones(2)], x), strides=True)
    assert a is b
    assert a is d
    assert c is not a


@pytest.mark.parametrize("to_worker", [True, False])
def test_a_generator_goes_on_where_it_was(to_worker):
    sent = torch.Generator().manual_seed(5)
    torch.randn(7, generator=sent)
    got = there_and_back(sent, strides=to_worker)
    assert torch.equal(torch.randn(9, generator=got), torch.randn(9, generator=sent))


def test_what_is_no_data_is_left_to_the_caller():
    seen: list[object] = []
    sparse, anything = torch.ones(2).to_sparse(), object()
    lowering = Lowering(lambda x: seen.append(x), strides=False)
    lowering.value([sparse, {"a": anything}])
    assert [id(x) for x in seen] == [id(sparse), id(anything)]


def test_a_number_of_a_million_digits_costs_nothing():
    got = there_and_back([10**1_000_000, -(1 << 10_000_000)], strides=False)
    assert all(x.bit_length() < 2000 for x in got)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (torch.zeros(1).expand(1 << 40), "too much data"),
        (torch.zeros(1).expand(frames.MAX_PAYLOAD_BYTES), "too much data"),
        ([torch.zeros(0) for _ in range(frames.MAX_TENSORS + 1)], "too much data"),
        ("x" * (frames.MAX_HEADER_BYTES + 1), "too much data"),
    ],
    ids=["expanded", "large", "many", "long"],
)
def test_what_is_too_much_is_refused_before_it_is_built(result, text):
    with pytest.raises(wire.WireError, match=text):
        there_and_back(result, strides=False)


# ------------------------------------------------------------------------------ what was never sent

MESSAGES: list[tuple[Any, list[torch.Tensor]]] = [
    (wire.Ready(["uid", "seccomp"]), []),
    (reply(wire.Returned(wire.TensorRef(0)), wire.Raised(["ValueError"], "n", [])), [torch.ones(2, 3)]),
    (reply(wire.Gradients([wire.TensorRef(0), None])), [torch.ones(3, dtype=torch.bfloat16)]),
    (
        reply(
            wire.Returned(
                wire.DictOf([("a", wire.ListOf([wire.Float("nan"), wire.BigInt("9" * 30)]))]),
                [wire.ModuleDescription(wire.ModuleState(0, True, {"w": wire.TensorRef(0)}), ["w"])],
                [(0, wire.TensorRef(1))],
            )
        ),
        [torch.ones(2), torch.ones(0, 3, dtype=torch.bool)],
    ),
    (wire.Callback(0, [wire.ObjectRef(1, "Net"), wire.GeneratorRef(0)]), [torch.Generator().get_state()]),
]


def decode(data: bytes) -> None:
    """Read a frame as the grader does, and lift whatever it holds."""
    header, payload = frames.frame_lengths(data[: frames.HEAD_BYTES].ljust(frames.HEAD_BYTES, b"\0"))
    body = data[frames.HEAD_BYTES :]
    message, table = frames.from_worker(body[:header], body[header:][:payload])
    lifting = Lifting(table, 0, lambda ref: ref)
    found = getattr(message, "results", None) or [wire.Returned(x) for x in getattr(message, "args", [])]
    for result in found:
        if isinstance(result, wire.Returned):
            lifting.value(result.value)


def mutated(frame: bytes, source: random.Random) -> bytes:
    data = bytearray(frame)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(data))
        match source.randrange(5):
            case 0:
                data[at] = source.randrange(256)
            case 1:
                del data[at : at + source.randint(1, 8)]
            case 2:
                data[at:at] = source.randbytes(source.randint(1, 8))
            case 3:
                data[at] ^= 1 << source.randrange(8)
            case 4:
                data[at:at] = data[at : at + source.randint(1, 64)]
        if not data:
            break
    return bytes(data)


@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_of_a_mutated_frame_comes_a_value_or_a_wire_error(number):
    frame = frames.pack(*MESSAGES[number])
    source, refused = random.Random(number), 0
    for _ in range(2000):
        try:
            decode(mutated(frame, source))
        except wire.WireError:
            refused += 1
    assert refused > 500


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_of_random_bytes_comes_a_wire_error(data, with_head):
    head = struct.pack("<4sIQ", b"AGW1", len(data) // 2, len(data) - len(data) // 2) if with_head else b""
    with pytest.raises(wire.WireError):
        decode(head + data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["t", "number", "results", "bases", "value", "items", "index"]), inner
        )
    ),
)


@settings(max_examples=300, deadline=None)
@given(json_values, st.sampled_from(["reply", "ready", "callback", "returned"]))
def test_json_of_another_form_is_a_wire_error(content, tag):
    for document in (content, {"t": tag, "value": content}, {"t": "reply", "number": 1, "results": content}):
        with pytest.raises(wire.WireError):
            frames.from_worker(json.dumps(document).encode(), b"")


def payload(**table: dict[str, Any]) -> bytes:
    head = json.dumps({name.removeprefix("t"): entry for name, entry in table.items()}).encode()
    return struct.pack("<Q", len(head)) + head


def entry(dtype: str, shape: list[int], end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}


MANY = (
    b"{"
    + b",".join(b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % i for i in range(60_000))
    + b"}"
)


@pytest.mark.parametrize(
    "data",
    [
        payload(t0=entry("BOOL", [1], 1)) + b"\x02",
        payload(t0=entry("F64", [1], 4)) + bytes(4),
        payload(t0=entry("F32", [1 << 40, 1 << 40, 0], 0)),
        payload(t0=entry("F32", [1 << 63, 0], 0)),
        payload(t0=entry("F32", [-1], 0)),
        payload(t1=entry("F32", [0], 0)),
        payload(tx=entry("F32", [0], 0)),
        struct.pack("<Q", 1 << 62) + b"{}",
        struct.pack("<Q", len(MANY)) + MANY,
        b"\x80\x04cposix\nsystem\n",
    ],
    ids=[
        *("bool of 2", "too short", "overflow", "sign", "negative", "no 0", "no number", "long head"),
        *("many tensors", "pickle"),
    ],
)
def test_a_payload_that_is_no_table_is_a_wire_error(data):
    header = json.dumps({"t": "reply", "number": 1, "results": [], "bases": []}).encode()
    assert frames.from_worker(header, b"")[1] == []
    with pytest.raises(wire.WireError):
        frames.from_worker(header, data)


@pytest.mark.parametrize("depth", [100, 100_000])
def test_nesting_ends_in_a_value_or_a_wire_error(depth):
    nested = b'{"t":"L","items":[' * depth + b"]}" * depth
    header = b'{"t":"reply","number":1,"bases":[],"results":[{"t":"returned","value":' + nested + b"}]}"
    if depth == 100:
        assert isinstance(frames.from_worker(header, b"")[0], wire.Reply)
    else:
        with pytest.raises(wire.WireError, match="RecursionError"):
            frames.from_worker(header, b"")


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<4sIQ", b"AGW2", 1, 1),
        struct.pack("<4sIQ", b"AGW1", frames.MAX_HEADER_BYTES + 1, 0),
        struct.pack("<4sIQ", b"AGW1", 0, frames.MAX_PAYLOAD_BYTES + 1),
    ],
)
def test_a_frame_is_measured_before_it_is_read(head):
    with pytest.raises(wire.WireError):
        frames.frame_lengths(head)


# ------------------------------------------------------------------------------ what only a forger sends


@pytest.mark.parametrize(
    "value",
    [
        wire.TensorRef(1),
        wire.TensorRef(-1),
        wire.TensorRef(2**62),
        wire.TensorRef(0, (10**12,)),
        wire.TensorRef(0, (1,)),
        wire.GeneratorRef(0),
        wire.Float("1.5"),
        wire.BigInt("1.5"),
        wire.BigInt("9" * 5000),
        wire.DictOf([(wire.ListOf([]), None)]),
        wire.DictOf([(wire.BigInt(str(i * (2**61 - 1))), None) for i in range(5000)]),
        "x" * 200_000,
    ],
    ids=[
        "beyond",
        "negative",
        "huge",
        "memory",
        "strides",
        "no state",
        "a float",
        "no digits",
        "digits",
        "unhashable",
        "hash collisions",
        "long text",
    ],
)
def test_a_worker_cannot_send(value):
    with pytest.raises(wire.WireError):
        Lifting([torch.ones(2)], 0, refuse).value(value)


@pytest.mark.parametrize("base", [0, 1])
def test_references_stay_within_their_step(base):
    lifting = Lifting([torch.zeros(1), torch.ones(1)], base, refuse)
    assert lifting.value(wire.TensorRef(0)).item() == base
    with pytest.raises(wire.WireError):
        lifting.value(wire.TensorRef(2 - base))


@pytest.mark.parametrize(
    ("left", "following"), [(624, 1), (1, 1), (623, 2)], ids=["refilled", "last word", "second word"]
)
def test_a_state_of_a_generator_within_its_words_is_taken(left, following):
    generator = torch.Generator()
    set_generator_state(generator, state_of(left, following))
    torch.randint(9, (2000,), generator=generator)


@pytest.mark.parametrize(("left", "following"), [(624, 2), (624, 624), (2, 624), (0, 0), (-1, 1), (1, 2**63)])
def test_a_state_that_reaches_beyond_its_words_is_refused(left, following):
    with pytest.raises(wire.WireError):
        set_generator_state(torch.Generator(), state_of(left, following))


@pytest.mark.parametrize("state", [torch.zeros(3, dtype=torch.uint8), torch.zeros(5056), torch.zeros(2, 2)])
def test_a_state_of_another_form_is_refused(state):
    with pytest.raises(wire.WireError):
        set_generator_state(torch.Generator(), state)


def state_of(left: int, following: int) -> torch.Tensor:
    state = torch.Generator().manual_seed(1).get_state()
    state[8:24] = torch.tensor(list(struct.pack("=iiQ", left, 1, following)), dtype=torch.uint8)
    return state

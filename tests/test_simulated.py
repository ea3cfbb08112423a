"""The simulated device: catches what a GPU would, runs what a GPU runs, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import copy
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._pytree import tree_leaves

from autograder.simulated import (
    DeviceMismatch,
    NotSimulated,
    SimulatedDevice,
    Transfer,
    Violation,
    is_on_device,
    rules,
    to_device,
    to_host,
)
from tests.device_cases import CASES, Case

TWO_DEVICES = "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
BUGS = [case for case in CASES if case.kind == "bug"]
CORRECT = [case for case in CASES if case.kind == "correct"]


@dataclass(frozen=True)
class Answer:
    """What a piece of code answers, and the gradients and buffers it leaves."""

    outputs: list[torch.Tensor]
    state: list[torch.Tensor | None]

    def tensors(self) -> list[torch.Tensor]:
        return [*self.outputs, *(x for x in self.state if x is not None)]


def answer(piece: Callable[..., Any], inputs: list[Any]) -> Answer:
    torch.manual_seed(2)
    outputs = [x for x in tree_leaves(piece(*inputs)) if isinstance(x, torch.Tensor)]
    with_graph = [x for x in outputs if x.requires_grad]
    if with_graph:
        torch.stack([x.abs().square().sum() for x in with_graph]).sum().backward()
    state = [x.grad for x in inputs if isinstance(x, torch.Tensor)]
    if isinstance(piece, nn.Module):
        state += [x.grad for x in piece.parameters()] + list(piece.buffers())
    return Answer(outputs, state)


def simulate(case: Case) -> tuple[SimulatedDevice, Answer | None, RuntimeError | TypeError | None]:
    if case.needs is not None:
        pytest.importorskip(case.needs)
    piece, inputs = case.draw()
    device = SimulatedDevice({case.file})
    try:
        with device:
            piece = to_device(piece) if isinstance(piece, nn.Module) else piece
            return device, answer(piece, to_device(inputs)), None
    except (RuntimeError, TypeError) as error:
        return device, None, error


def assert_same(on_device: torch.Tensor | None, on_host: torch.Tensor | None) -> None:
    if on_device is None or on_host is None:
        assert on_device is on_host
    else:
        torch.testing.assert_close(to_host(on_device), on_host, equal_nan=True)


@pytest.fixture
def device():
    with SimulatedDevice({__file__}) as device:
        yield device


# ---- the cases


@pytest.mark.parametrize("case", BUGS, ids=lambda case: case.name)
def test_a_planted_bug_is_caught(case):
    device, result, _ = simulate(case)
    if device.violations:
        assert all(v.file == case.file and v.line > 0 for v in device.violations)
    else:
        assert result is not None
        assert not all(is_on_device(x) for x in result.tensors())


@pytest.mark.parametrize("case", CORRECT, ids=lambda case: case.name)
def test_a_correct_piece_is_clean(case):
    device, result, error = simulate(case)
    assert error is None, repr(error)
    assert result is not None
    assert device.violations == []
    assert all(is_on_device(x) for x in result.tensors())
    expected = answer(*case.draw())
    for got, want in zip(result.outputs + result.state, expected.outputs + expected.state, strict=True):
        assert_same(got, want)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_simulation_and_gpu_agree(case):
    piece, inputs = case.draw()
    inputs = [_to_gpu(x) for x in inputs]
    piece = piece.to("cuda") if isinstance(piece, nn.Module) else piece
    try:
        real: Answer | None = answer(piece, inputs)
    except (RuntimeError, TypeError):
        real = None
    _, simulated, _ = simulate(case)
    assert (simulated is None) == (real is None)
    if real is not None and simulated is not None:
        assert [x.device for x in simulated.tensors()] == [x.device for x in real.tensors()]


def _to_gpu(x: Any) -> Any:
    if isinstance(x, torch.Generator):
        return torch.Generator("cuda").manual_seed(5)
    return x.detach().to("cuda").requires_grad_(x.requires_grad)


# ---- what a violation says


def test_a_violation_names_operator_message_and_line(device):
    def forward(x):
        return x @ torch.ones(2, 2)

    with pytest.raises(RuntimeError, match="found at least two devices, cuda:0 and cpu"):
        forward(to_device(torch.ones(2, 2)))
    (violation,) = device.violations
    line = forward.__code__.co_firstlineno + 1
    message = f"{TWO_DEVICES} (when checking argument for argument mat2 in method wrapper_CUDA_mm)"
    assert violation == Violation("mm", message, __file__, line, "forward")


def test_a_violation_outside_the_students_files_has_no_line():
    with SimulatedDevice({"elsewhere.py"}) as device, pytest.raises(DeviceMismatch):
        to_device(torch.ones(2)) + torch.ones(2)
    assert device.violations == [Violation("add", TWO_DEVICES, "", 0, "")]


def test_a_swallowed_violation_is_noted(device):
    for _ in range(2):
        with contextlib.suppress(RuntimeError):
            to_device(torch.ones(2)) + torch.ones(2)
    assert [v.function for v in device.violations] == ["test_a_swallowed_violation_is_noted"] * 2


def test_a_mismatch_that_c_plus_plus_finds_first_is_noted(device):
    lstm = to_device(nn.LSTM(2, 2))
    with pytest.raises(RuntimeError, match="not at the same device, found input tensor at cuda:0"):
        lstm(to_device(torch.ones(3, 1, 2)), (torch.zeros(1, 1, 2), torch.zeros(1, 1, 2)))
    assert [v.operator for v in device.violations] == ["lstm"]


def test_numpy_of_a_device_tensor_is_a_type_error(device):
    with pytest.raises(TypeError, match=r"can't convert cuda:0 device type tensor to numpy"):
        np.asarray(to_device(torch.ones(2)))
    assert [v.operator for v in device.violations] == ["numpy"]


def test_a_gradient_on_the_cpu_cannot_be_assigned(device):
    x = to_device(torch.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="same device"):
        x.grad = torch.ones(2)
    assert len(device.violations) == 1


def test_two_cpu_numbers_are_too_many_for_one_kernel(device):
    x, number = to_device(torch.ones(2)), torch.tensor(2.0)
    assert torch.equal(to_host(torch.addcmul(x, x, number)), torch.full((2,), 3.0))
    with pytest.raises(RuntimeError, match="too many CPU scalars"):
        torch.addcmul(x, number, number)


@pytest.mark.parametrize(
    "breach",
    [
        lambda x, cpu: torch.logaddexp(x, cpu[0]),
        lambda x, cpu: torch.clamp(x, min=cpu[0]),
        lambda x, cpu: x.masked_fill(cpu > 0, 0.0),
        lambda x, cpu: cpu.masked_fill(cpu > 0, x[0]),
        lambda x, cpu: cpu[x > 0],
        lambda x, cpu: cpu[0].clone().add_(x[0]),
        lambda x, cpu: torch._foreach_add([x, x], [x, cpu]),
        lambda x, cpu: x.index_put((x.long(),), cpu),
        lambda x, cpu: torch.normal(x, cpu),
    ],
)
def test_what_cuda_refuses(device, breach):
    with pytest.raises(DeviceMismatch):
        breach(to_device(torch.ones(2)), torch.ones(2))
    assert len(device.violations) == 1


@pytest.mark.parametrize(
    "legal",
    [
        lambda x, cpu: x * cpu[0] + 2 / cpu[1] + (x < cpu[0]),
        lambda x, cpu: x.copy_(cpu),
        lambda x, cpu: x.fill_(cpu[0]),
        lambda x, cpu: x.index_fill(0, x.long(), cpu[0]),
        lambda x, cpu: x.masked_fill(x > 0, cpu[0]),
        lambda x, cpu: x[cpu > 0],
        lambda x, cpu: x.bernoulli_(cpu / 2),
        lambda x, cpu: F.mse_loss(x[0], cpu[0]),
        lambda x, cpu: torch._foreach_mul([x, x], [cpu[0], x])[0],
        lambda x, cpu: x.slice_scatter(cpu[:1], 0, 0, 1),
        lambda x, cpu: x.expand_as(cpu).view_as(cpu),
    ],
)
def test_what_cuda_allows(device, legal):
    x, cpu = torch.ones(2), torch.ones(2)
    torch.manual_seed(0)
    result = legal(to_device(x), cpu)
    assert is_on_device(result)
    torch.manual_seed(0)
    assert torch.equal(to_host(result), legal(x, cpu))
    assert device.violations == []


def test_copying_into_a_cpu_tensor_is_legal_and_stays_there(device):
    x, cpu = to_device(torch.arange(3.0)), torch.zeros(3)
    cpu[:2] = x[:2]
    cpu[2] = x[1]
    assert cpu.tolist() == [0.0, 1.0, 1.0]
    made = [cpu.slice_scatter(x[:1], 0, 0, 1), cpu.index_fill(0, torch.tensor([1]), x[2])]
    assert not any(is_on_device(y) for y in [cpu, *made])
    assert device.violations == []


def test_a_second_device_does_not_exist(device):
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.ones(2).to("cuda:1")
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.ones(2).cuda(1)


def test_what_cannot_be_simulated_is_no_mismatch(device):
    x = to_device(torch.ones(2))
    for attempt in (
        lambda: copy.copy(x),
        lambda: x.resize_(3),
        lambda: torch.add(x, 1, out=torch.empty(0, device="cuda")),
        lambda: to_device(torch.eye(2).to_sparse_csr()),
    ):
        with pytest.raises(NotSimulated):
            attempt()
    assert device.violations == []


# ---- transfers


@pytest.mark.parametrize(
    ("transfer", "operator", "kind"),
    [
        (lambda x: x.cpu(), "_to_copy", "copy"),
        (lambda x: x.to("cpu"), "_to_copy", "copy"),
        (lambda x: torch.zeros(3).copy_(x), "copy_", "copy"),
        (lambda x: x[0].item(), "_local_scalar_dense", "read"),
        (lambda x: bool(x[0] > 0), "_local_scalar_dense", "read"),
        (lambda x: f"{x[0]:.2f}", "_local_scalar_dense", "read"),
        (lambda x: x.tolist(), "tolist", "read"),
        (lambda x: x.nonzero(), "nonzero", "read"),
        (lambda x: x[x > 0], "index", "read"),
        (lambda x: x.unique(), "_unique2", "read"),
        (repr, "repr", "read"),
    ],
)
def test_a_transfer_is_noted_with_its_kind_and_line(device, transfer, operator, kind):
    transfer(to_device(torch.arange(3.0)))
    line = transfer.__code__.co_firstlineno if hasattr(transfer, "__code__") else None
    (noted,) = device.transfers
    assert (noted.operator, noted.kind, noted.file) == (operator, kind, __file__)
    assert line is None or noted == Transfer(operator, kind, __file__, line, "<lambda>", kind == "copy")


def test_work_on_the_device_is_no_transfer(device):
    x = to_device(torch.arange(6.0).view(2, 3))
    x[torch.tensor([0])] = x.sort(-1).values[:1] @ torch.eye(3, device="cuda")
    x[x > 3] = torch.tensor(0.0)
    x.to("cuda").to(torch.float64).cuda()
    assert device.transfers == []


# ---- moving


@pytest.mark.parametrize(
    "x",
    [
        torch.arange(6.0).view(2, 3).t(),
        torch.ones(1, 3).expand(2, 3),
        torch.tensor(2.5),
        torch.empty(0, 3),
        torch.tensor([True, False]),
        torch.arange(3),
        torch.ones(2, dtype=torch.bfloat16),
        torch.tensor([1 + 2j]).conj(),
        torch.arange(8.0)[::2],
        torch.eye(3).to_sparse(),
    ],
    ids=str,
)
def test_any_tensor_goes_there_and_back(device, x):
    there = to_device(x)
    assert is_on_device(there)
    assert str(there.device) == "cuda:0"
    assert there.is_cuda
    back = to_host(there)
    assert not is_on_device(back)
    for moved in (there, back):
        assert (moved.shape, moved.dtype, moved.layout) == (x.shape, x.dtype, x.layout)
        if x.layout is torch.strided:
            assert moved.stride() == x.clone().stride()
    assert torch.equal(back.to_dense(), x.to_dense())


def test_a_lazy_conjugate_is_resolved(device):
    z = to_device(torch.tensor([1 + 2j]))
    assert torch.view_as_real(z.conj().resolve_conj()).tolist() == [[1.0, -2.0]]


def test_leaves_and_gradients_are_kept(device):
    leaf, plain = torch.ones(2, requires_grad=True), torch.ones(2)
    parameter, with_graph = nn.Parameter(torch.ones(2), requires_grad=False), leaf * 2
    moved = to_device([leaf, plain, parameter, with_graph])
    assert [x.requires_grad for x in moved] == [True, False, False, True]
    assert [x.is_leaf for x in moved] == [True, True, True, False]
    assert isinstance(moved[2], nn.Parameter)
    moved[3].sum().backward()
    assert leaf.grad is not None
    assert not is_on_device(leaf.grad)
    assert leaf.grad.tolist() == [2.0, 2.0]
    back = to_host(moved)
    assert [x.requires_grad for x in back] == [True, False, False, False]
    assert isinstance(back[2], nn.Parameter)


def test_nested_things_are_moved_and_equal_tensors_stay_one(device):
    x = torch.ones(2)
    packed = nn.utils.rnn.pack_sequence([torch.ones(3), torch.ones(1)])
    moved = to_device({"a": [x, (x, 3)], "packed": packed, "none": None})
    assert moved["a"][0] is moved["a"][1][0]
    assert moved["a"][1][1] == 3
    assert is_on_device(moved["packed"].data)
    assert not is_on_device(moved["packed"].batch_sizes)
    back = to_host(moved)
    assert isinstance(back["packed"], nn.utils.rnn.PackedSequence)
    assert not any(is_on_device(leaf) for leaf in tree_leaves(back))


def test_a_module_is_moved_in_place_with_its_gradients(device):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model[0](torch.ones(1, 2)).sum().backward()
    before = list(model.parameters())
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    assert to_device(model) is model
    assert all(a is b for a, b in zip(model.parameters(), before, strict=True))
    assert all(is_on_device(x) for x in [*model.parameters(), *model.buffers(), before[0].grad])
    assert all(isinstance(x, nn.Parameter) for x in model.parameters())
    weight = to_host(before[0])
    optimiser.step()
    assert torch.equal(to_host(before[0]), weight - to_host(before[0].grad))
    assert to_host(model) is model
    assert all(a is b for a, b in zip(model.parameters(), before, strict=True))
    assert not any(is_on_device(x) for x in [*model.parameters(), *model.buffers(), before[0].grad])


def test_a_module_can_be_moved_while_a_graph_of_it_lives(device):
    model = nn.Linear(2, 2)
    model.weight.role = "weight"
    reference, out = weakref.ref(model.weight), model(torch.ones(1, 2))
    to_device(model)(torch.ones(1, 2, device="cuda")).sum().backward()
    assert reference() is model.weight
    assert model.weight.role == "weight"
    assert is_on_device(model.weight.grad)
    out.sum().backward()
    assert to_host(model.weight.grad).tolist() == [[1.0, 1.0]] * 2


def test_data_can_be_set_within_and_across_devices(device):
    parameter, weight = nn.Parameter(torch.ones(2)), torch.ones(2)
    parameter.data = parameter.data.cuda()
    assert is_on_device(parameter)
    parameter.data = parameter.data[:1] * 3
    assert parameter.tolist() == [3.0]
    assert parameter.shape == (1,)
    parameter.data.add_(1)
    (parameter * 2).sum().backward()
    assert (parameter.tolist(), parameter.grad.tolist()) == ([4.0], [2.0])
    weight.data = parameter.data
    assert is_on_device(weight)


def test_a_copy_of_a_device_module_is_its_own(device):
    model = to_device(nn.Linear(2, 2))
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.weight.zero_()
    assert is_on_device(other.weight)
    assert isinstance(other.weight, nn.Parameter)
    assert to_host(model.weight).abs().sum() > 0


# ---- generators and random numbers

DRAWS: list[Callable[..., torch.Tensor]] = [
    lambda x, **g: torch.randn(4, device=x.device, **g),
    lambda x, **g: torch.rand(2, 3, device=x.device, dtype=torch.float64, **g),
    lambda x, **g: torch.randint(0, 9, (5,), device=x.device, **g),
    lambda x, **g: torch.randperm(7, device=x.device, **g),
    lambda x, **g: torch.multinomial(x.softmax(-1), 2, **g),
    lambda x, **g: torch.bernoulli(x.sigmoid(), **g),
    lambda x, **g: x.clone().normal_(1.0, 2.0, **g),
    lambda x, **g: x.clone().uniform_(**g),
    lambda x, **g: nn.init.xavier_uniform_(torch.empty(3, 3, device=x.device), **g),
]


@pytest.mark.parametrize("draw", DRAWS)
def test_draws_are_those_of_the_cpu_bit_by_bit(device, draw):
    x, cpu_generator = torch.linspace(-1, 1, 4), torch.Generator().manual_seed(3)
    torch.rand(5, generator=cpu_generator)  # anywhere in its stream
    generator = to_device(cpu_generator)
    assert generator.device == torch.device("cuda:0")
    for _ in range(2):
        got, want = draw(to_device(x), generator=generator), draw(x, generator=cpu_generator)
        assert is_on_device(got)
        assert torch.equal(to_host(got), want)
    assert torch.equal(to_host(generator).get_state(), cpu_generator.get_state())
    torch.manual_seed(4)
    want = draw(x)
    torch.manual_seed(4)
    assert torch.equal(to_host(draw(to_device(x))), want)
    assert device.violations == []


@pytest.mark.parametrize("draw", DRAWS)
def test_a_generator_of_the_other_device_is_refused(device, draw):
    x = torch.ones(4)
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator but found 'cpu'"):
        draw(to_device(x), generator=torch.Generator())
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator but found 'cuda'"):
        draw(x, generator=torch.Generator("cuda"))
    assert len(device.violations) == 2


def test_either_kind_of_generator_is_a_generator(device):
    kinds = [torch.Generator(), torch.Generator("cuda"), torch.Generator(device=torch.device("cuda", 0))]
    assert [g.device.type for g in kinds] == ["cpu", "cuda", "cuda"]
    assert all(isinstance(g, torch.Generator) for g in kinds)
    assert not isinstance(torch.ones(1), torch.Generator)


@pytest.mark.parametrize("p", [0.15, 0.48, 0.5, 1.0])
def test_dropout_is_that_of_the_cpu_bit_by_bit(device, p):
    x = torch.randn(64, requires_grad=True)
    there = to_device(x)
    for dropped, leaf in ((F.dropout(x, p), x), (None, there)):
        torch.manual_seed(0)
        dropped = F.dropout(leaf, p)
        (dropped * torch.arange(64, device=leaf.device)).sum().backward()
        if leaf is x:
            want = dropped
    assert torch.equal(to_host(dropped), want)
    assert torch.equal(to_host(there.grad), x.grad)


# ---- autocast, default device, grown-up uses


def test_autocast_casts_as_cudas_does(device):
    x = to_device(torch.randn(3, 3, requires_grad=True))
    with torch.autocast("cuda", dtype=torch.bfloat16):
        product = F.linear(x, x) @ x
        assert product.dtype == torch.bfloat16
        assert product.softmax(-1).dtype == torch.float32
        assert (product + x).dtype == torch.float32
        assert (x.double() @ x.double()).dtype == torch.float64
        assert F.cross_entropy(product, to_device(torch.tensor([0, 1, 2]))).dtype == torch.float32
        attention = nn.MultiheadAttention(4, 2).cuda()
        assert attention(*[to_device(torch.ones(2, 1, 4))] * 3)[0].dtype == torch.bfloat16
        product.float().sum().backward()
    assert x.grad.dtype == torch.float32
    assert (x @ x).dtype == torch.float32


def test_a_default_device_is_followed(device):
    with torch.device("cuda"):
        assert is_on_device(torch.zeros(2))
        assert is_on_device(nn.Linear(2, 2).weight)
        assert not is_on_device(torch.zeros(2, device="cpu"))


def test_a_number_on_the_cpu_gets_its_gradient_on_the_cpu(device):
    x, scale = to_device(torch.arange(3.0)), torch.tensor(2.0, requires_grad=True)
    (scale * x).sum().backward(torch.tensor(1.0))
    assert not is_on_device(scale.grad)
    assert scale.grad.item() == 3.0
    with pytest.raises(DeviceMismatch):
        torch.stack([x[0], scale])
    with pytest.raises(DeviceMismatch, match="invalid gradient"):
        (scale * x).backward(torch.ones(3))
    (gradient,) = torch.autograd.grad((scale * x).sum(), scale, torch.tensor(0.5))
    assert gradient.item() == 1.5


class Halved(torch.autograd.Function):
    """Returns gradients on the device `of_gradient`."""

    @staticmethod
    def forward(ctx, x, of_gradient):
        ctx.of_gradient = of_gradient
        return x / 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient.to(ctx.of_gradient) / 2, None


def test_a_gradient_that_a_custom_backward_leaves_on_the_cpu_is_refused(device):
    x = to_device(torch.ones(2, requires_grad=True))
    Halved.apply(x, "cuda").sum().backward()
    assert x.grad.tolist() == [0.5, 0.5]
    loss = Halved.apply(x, "cpu").sum()
    with pytest.raises(DeviceMismatch, match="HalvedBackward returned an invalid gradient at index 0"):
        loss.backward()
    line = Halved.backward.__code__.co_firstlineno
    assert [(v.line, v.function) for v in device.violations] == [(line, "backward")]
    number = to_device(torch.tensor(3.0, requires_grad=True))
    Halved.apply(number, "cpu").backward()
    assert is_on_device(number.grad)
    assert number.grad.item() == 0.5


def test_code_within_a_backward_may_name_the_device(device):
    x = to_device(torch.ones(2, requires_grad=True))
    y = x * 2
    y.register_hook(lambda gradient: gradient * torch.tensor([3.0, 4.0], device="cuda"))
    y.sum().backward()
    assert x.grad.tolist() == [6.0, 8.0]


def test_the_fast_path_of_the_encoder_is_not_taken(device):
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2).eval()
    x, padding = torch.randn(2, 3, 4), torch.tensor([[False, False, True], [False] * 3])
    want = encoder(x, src_key_padding_mask=padding)
    with torch.no_grad():
        got = to_device(encoder)(to_device(x), src_key_padding_mask=to_device(padding))
    torch.testing.assert_close(to_host(got)[~padding], want.detach()[~padding])


# ---- what is left behind: nothing


def globals_of_torch() -> list[Any]:
    owners = (torch, torch.cuda, torch.accelerator, torch.Tensor, torch.nn.functional, torch._tensor)
    return [
        *[dict(vars(owner)) for owner in owners],
        vars(torch.autograd).get("has_torch_function"),
        torch._C._only_lift_cpu_tensors(),
        torch._C._len_torch_function_stack(),
        torch._C._len_torch_dispatch_stack(),
        torch.cuda.is_available(),
    ]


def test_everything_global_is_restored_also_after_an_error():
    before = globals_of_torch()
    assert not torch._C._only_lift_cpu_tensors()
    with SimulatedDevice():
        assert torch.cuda.is_available()
        assert torch.accelerator.current_accelerator().type == "cuda"
    assert globals_of_torch() == before
    with pytest.raises(KeyError), SimulatedDevice():
        raise KeyError
    assert globals_of_torch() == before


def test_it_is_entered_once_at_a_time_and_again_afterwards():
    with SimulatedDevice() as first:
        with pytest.raises(RuntimeError, match="entered already"), SimulatedDevice():
            pass
        assert is_on_device(torch.zeros(1, device="cuda"))
    with SimulatedDevice() as second, pytest.raises(DeviceMismatch):
        to_device(torch.ones(2)) + torch.ones(2)
    assert (len(first.violations), len(second.violations)) == (0, 1)
    with pytest.raises(RuntimeError, match="no simulated device"):
        to_device(torch.ones(2))


def test_results_come_to_the_host_after_the_device_was_left():
    generator = torch.Generator().manual_seed(1)
    with SimulatedDevice():
        model = to_device(nn.Linear(2, 2))
        loss = model(torch.ones(1, 2, device="cuda")).sum()
        loss.backward()
        there = to_device(generator)
        torch.rand(3, generator=there, device="cuda")
    torch.rand(3, generator=generator)
    assert to_host(loss).item() == pytest.approx(to_host(model)(torch.ones(1, 2)).sum().item())
    assert not is_on_device(model.weight)
    assert model.weight.grad.tolist() == [[1.0, 1.0]] * 2
    assert torch.equal(to_host(there).get_state(), generator.get_state())


def train() -> list[torch.Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    attention = nn.MultiheadAttention(4, 2, dropout=0.1, batch_first=True)
    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    out = model(attention(x, x, x)[0])
    out.logsumexp(-1).sum().backward()
    return [out.detach(), x.grad, *(p.grad for p in model.parameters())]


def test_plain_work_before_and_after_is_equal_bit_by_bit():
    before = train()
    with SimulatedDevice():
        within = train()  # on the CPU
        to_device(nn.Linear(2, 2))(torch.ones(1, 2, device="cuda")).sum().backward()
    after = train()
    for a, b, c in zip(before, within, after, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


def test_importing_it_changes_nothing():
    script = """
import torch, torch.functional
def state():
    return [dict(vars(x)) for x in (torch.cuda, torch.accelerator, torch.Tensor, torch.nn.functional)] + [
        torch.Generator, torch._C._only_lift_cpu_tensors(), torch._C._len_torch_function_stack()]
before = state()
import autograder.simulated
assert state() == before
"""
    subprocess.run([sys.executable, "-c", script], check=True)


# ---- the rules, by PyTorch's own declarations


def declarations() -> dict[str, dict[str, Any]]:
    """Every function of native_functions.yaml, by its name with its overload ("add.Tensor")."""
    yaml = pytest.importorskip("yaml")
    torchgen = pytest.importorskip("torchgen")
    file = Path(torchgen.__file__).parent / "packaged/ATen/native/native_functions.yaml"
    functions = yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {function["func"].split("(")[0]: function for function in functions}


def test_the_rules_agree_with_what_pytorch_declares():
    declared = declarations()
    overloads: dict[str, list[dict[str, Any]]] = {}
    for name, function in declared.items():
        overloads.setdefault(name.split(".")[0], []).append(function)

    def is_pointwise(function: dict[str, Any]) -> bool:
        return "pointwise" in (function.get("tags") or ())

    def is_unchecked(function: dict[str, Any]) -> bool:
        return function.get("device_check") == "NoCheck"

    for name in rules.STRICT_POINTWISE:
        assert any(is_pointwise(f) and not is_unchecked(f) for f in overloads[name]), name
    for name in rules.ALSO_POINTWISE:
        assert any(is_unchecked(f) for f in overloads[name]), name
        assert not all(is_pointwise(f) for f in overloads[name]), name
    unchecked = rules.INDEX_PUTS | {torch.ops.aten.copy_.default, torch.ops.aten.bernoulli_.Tensor}
    for operator in unchecked | {torch.ops.aten.masked_fill_.Tensor, torch.ops.aten.fill_.Tensor}:
        assert is_unchecked(declared[operator._schema.name.split("::")[1] + _overload(operator)]), operator


def _overload(operator: Any) -> str:
    return f".{operator._overloadname}" if operator._overloadname != "default" else ""

"""Correct: code that asks which device it is on, copies to the host, or prints."""

from __future__ import annotations

import torch

from tests.device_cases import DIM, correct


@correct("sequence")
def logged_through_the_host(x):
    mean = x.detach().cpu().numpy().mean()
    rows = x.detach().tolist()
    assert f"{x.sum().item():.3f} {x.detach().mean():.2f}"
    assert repr(x)
    return x * float(mean) + len(rows)


@correct("sequence")
def device_chosen_if_available(x):
    device = "cuda" if torch.cuda.is_available() and x.is_cuda else "cpu"
    return x + torch.ones(DIM, device=device)


@correct("sequence")
def branches_on_the_kind_of_device(x):
    zeros = torch.zeros(DIM, device="cuda" if x.is_cuda else "cpu")
    return x + zeros + torch.zeros(DIM).to(x.device.type)


@correct("sequence")
def autocast_by_the_kind_of_device(x):
    with torch.autocast(device_type=x.device.type, dtype=torch.bfloat16):
        return (x @ x.transpose(1, 2)).float()


@correct("logits")
def generator_made_on_the_device(logits):
    generator = torch.Generator(device=logits.device)
    generator.manual_seed(0)
    return torch.multinomial(logits.softmax(-1), 1, generator=generator)


@torch.jit.script
def _scripted(x):
    return x.relu() + 1


@correct("sequence")
def scripted_function(x):
    return _scripted(x)

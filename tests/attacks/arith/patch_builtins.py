"""The worker's own Python is turned against it."""

import builtins
import json
import os
import socket
import sys

import msgspec
import safetensors.torch
import torch

builtins.isinstance = lambda *args: True
builtins.len = lambda *args: 1
builtins.AssertionError = type("AssertionError", (BaseException,), {})
builtins.print = builtins.repr = builtins.str = lambda *args, **kwargs: "passed"
json.dumps = lambda *args, **kwargs: '{"score": 10}'
msgspec.json.encode = lambda *args: b'{"t":"reply","number":1,"results":[],"bases":[]}'
safetensors.torch.save = lambda *args: b""
socket.socket.sendall = socket.socket.send = lambda *args: None
os._exit = sys.exit = lambda *args: None


def scale(x, factor):
    return torch.zeros(1)


def noise(n, generator):
    return torch.zeros(1)

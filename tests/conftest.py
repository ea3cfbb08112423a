"""One thread in all tests, as in a worker: two would change last bits, and fight over a small machine."""

import os

import pytest
import torch

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
torch.set_num_threads(1)
pytest.register_assert_rewrite("tests.units.laws")


LONG = ("units", "test_sample_class.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first: a file stays in one process, and none is to be left alone with it."""
    items.sort(key=lambda item: not any(part in LONG for part in item.path.parts[-2:]))

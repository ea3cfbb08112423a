"""One thread in all tests, as in a worker: two would change last bits, and fight over a small machine."""

import os

import pytest
import torch

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
torch.set_num_threads(1)
pytest.register_assert_rewrite("tests.units.laws")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The units first: they take longest, and a file stays in one process."""
    items.sort(key=lambda item: item.path.parent.name != "units")

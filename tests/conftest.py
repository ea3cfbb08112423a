"""One thread in all tests, as in a worker: two would change last bits, and fight over a small machine."""

import os

import pytest
import torch

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)  # before xdist deals them out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The units first, because they take longest; a file stays in one process, and so does a unit."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        unit = callspec.params.get("graded") if callspec is not None else None
        item.add_marker(pytest.mark.xdist_group(unit or item.path.name))
    items.sort(key=lambda item: item.path.name != "test_units.py")

"""One thread in all tests, as in a worker: two would change last bits, and fight over a small machine."""

import os

import torch

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
torch.set_num_threads(1)

"""Neighbour sampling on a graph of a million nodes, against propagation on the whole graph.

    python benchmarks/million_nodes.py [--nodes 1000000] [--edges 10000000] [--seeds 4096]

Makes a random graph whose in-degrees are very unequal, and asks two `NeighbourMeanLayer`s of the solution for
a loss over some seed nodes and its gradients: once in mini-batches of computation trees, which the solution's
`sample_neighbours` cuts down, and once on the whole graph. Each way has a process of its own, so that its
peak memory is its own; both hold the same graph. Prints seconds and memory, and how far the logits on trees
that are not cut down are from those on the whole graph, which shows that nothing but the sampling differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.solution import solution_module

FANOUTS = (10, 10)  # edges kept of a seed, and of each of its neighbours
BATCH_SIZE = 512
IN_SIZE, HIDDEN_SIZE, N_CLASSES = 32, 32, 8
COMPARED = 64  # seeds whose whole trees are compared with the whole graph


@dataclass(frozen=True, eq=False)
class Graph:
    """Edges sorted by target, so that the edges into a few nodes are found without looking at the others."""

    x: Tensor  # (N, IN_SIZE)
    y: Tensor  # (N,)
    edge_index: Tensor  # (2, E)
    first: Tensor  # (N + 1,): the edges into i are those from first[i] to first[i + 1]

    @classmethod
    def random(cls, n: int, n_edges: int) -> Graph:
        generator = torch.Generator().manual_seed(0)
        source = torch.randint(n, (n_edges,), generator=generator)
        # The cube draws low numbers far more often: node 0 alone has a hundredth of all edges.
        target = (n * torch.rand(n_edges, generator=generator, dtype=torch.float64) ** 3).long().sort().values
        degree = torch.bincount(target, minlength=n)
        return cls(
            x=torch.randn(n, IN_SIZE, generator=generator),
            y=torch.randint(N_CLASSES, (n,), generator=generator),
            edge_index=torch.stack([source, target]),
            first=F.pad(degree.cumsum(0), (1, 0)),
        )

    def edges_into(self, targets: Tensor) -> Tensor:
        """The edges (2, E') whose target is one of `targets`, which do not repeat."""
        start, count = self.first[targets], self.first[targets + 1] - self.first[targets]
        rank = torch.arange(int(count.sum())) - (count.cumsum(0) - count).repeat_interleave(count)
        return self.edge_index[:, start.repeat_interleave(count) + rank]


def computation_tree(
    graph: Graph, seeds: Tensor, fanouts: tuple[int, ...], layers: Any, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """What two layers need for `seeds`: the nodes' numbers in the graph, sorted, and edges among them."""
    nodes, frontier, kept = seeds.sort().values, seeds, []
    for fanout in fanouts:
        edges = layers.sample_neighbours(graph.edges_into(frontier), len(graph.x), fanout, generator)
        kept.append(edges)
        reached = torch.cat([nodes, edges[0]]).unique()
        frontier = reached[~torch.isin(reached, nodes, assume_unique=True)]
        nodes = reached
    return nodes, torch.searchsorted(nodes, torch.cat(kept, dim=1))


class Network(nn.Module):
    """Two layers; means, unlike a GCN's degrees, need nothing of the graph outside the tree."""

    def __init__(self, layers: Any) -> None:
        super().__init__()
        self.layer1 = layers.NeighbourMeanLayer(IN_SIZE, HIDDEN_SIZE)
        self.layer2 = layers.NeighbourMeanLayer(HIDDEN_SIZE, N_CLASSES)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.layer2(self.layer1(x, edge_index).relu(), edge_index)


@dataclass(frozen=True)
class Cost:
    """What one way took."""

    seconds: float  # of CPU
    graph_mib: float  # peak memory until the graph was made
    peak_mib: float  # and until the end
    largest_batch: str
    logits: Tensor  # (COMPARED, N_CLASSES), on whole trees or the whole graph


def measure(way: str, n: int, n_edges: int, n_seeds: int) -> Cost:
    """Makes the graph, and goes one way: "sampled" or "whole". For a fresh process."""
    with solution_module("a5_gnn", "layers") as layers:
        torch.manual_seed(0)
        network = Network(layers)
        graph = Graph.random(n, n_edges)
        generator = torch.Generator().manual_seed(1)
        seeds = torch.randperm(n, generator=generator)[:n_seeds]
        before, start = peak_mib(), time.process_time()
        largest = (n, graph.edge_index.shape[1])
        if way == "sampled":
            largest = (0, 0)
            for batch in seeds.split(BATCH_SIZE):
                nodes, edge_index = computation_tree(graph, batch, FANOUTS, layers, generator)
                logits = network(graph.x[nodes], edge_index)[torch.searchsorted(nodes, batch)]
                F.cross_entropy(logits, graph.y[batch], reduction="sum").backward()
                largest = max(largest, (len(nodes), edge_index.shape[1]))
        else:
            logits = network(graph.x, graph.edge_index)[seeds]
            F.cross_entropy(logits, graph.y[seeds], reduction="sum").backward()
        seconds, peak = time.process_time() - start, peak_mib()
        if way == "sampled":  # after the measurement: the same logits without sampling
            few = seeds[:COMPARED]
            nodes, edge_index = computation_tree(graph, few, (n_edges, n_edges), layers, generator)
            logits = network(graph.x[nodes], edge_index)[torch.searchsorted(nodes, few)]
        batch = f"{largest[0]:,} nodes, {largest[1]:,} edges"
        return Cost(seconds, before, peak, batch, logits[:COMPARED].detach())


def peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB elsewhere


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--edges", type=int, default=10_000_000)
    parser.add_argument("--seeds", type=int, default=4096)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(f"{options.nodes:,} nodes, {options.edges:,} edges, loss and gradients for {options.seeds:,} seeds")
    costs = {}
    for way in ("sampled", "whole"):
        with context.Pool(1) as pool:
            arguments = (way, options.nodes, options.edges, options.seeds)
            cost = costs[way] = pool.apply(measure, arguments)
        print(
            f"  {way:<8} {cost.seconds:5.1f} s   peak {cost.peak_mib:5,.0f} MiB (with the graph alone "
            f"{cost.graph_mib:,.0f})   largest batch {cost.largest_batch}",
            flush=True,
        )
    gap = float((costs["sampled"].logits - costs["whole"].logits).abs().max())
    print(f"  whole trees, without sampling, give the same logits but for {gap:.1e}")


if __name__ == "__main__":
    main()

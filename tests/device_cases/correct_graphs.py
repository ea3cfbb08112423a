"""Correct: message passing and what surrounds it."""

from __future__ import annotations

import torch
from torch import nn

from tests.device_cases import DIM, NODES, correct

PYG = "torch_geometric"


@correct("nodes", "edges")
def sums_degrees_and_maxima(x, edges):
    target = edges[1]
    total = x.new_zeros(NODES, DIM).index_add_(0, target, x[edges[0]])
    ones = torch.ones(edges.size(1), device=x.device)
    degree = torch.zeros(NODES, device=x.device).scatter_add_(0, target, ones)
    largest = torch.zeros(NODES, DIM, device=x.device).scatter_reduce(
        0, target[:, None].expand(-1, DIM), x[edges[0]], "amax", include_self=False
    )
    return total / degree.clamp(min=1)[:, None] + largest


@correct("nodes", "edges")
def sparse_adjacency(x, edges):
    ones = torch.ones(edges.size(1), device=x.device)
    return torch.sparse.mm(torch.sparse_coo_tensor(edges, ones, (NODES, NODES)), x)


@correct("nodes", "edges", builds=True, needs=PYG)
def gcn_of_pyg():
    from torch_geometric.nn import GCNConv

    return GCNConv(DIM, 4)


@correct("nodes", "edges", builds=True, needs=PYG)
def gat_of_pyg():
    from torch_geometric.nn import GATConv

    return GATConv(DIM, 4, heads=2)


@correct("nodes", "edges", builds=True, needs=PYG)
def sage_and_gin_of_pyg():
    from torch_geometric.nn import GINConv, SAGEConv

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.sage, self.gin = SAGEConv(DIM, DIM), GINConv(nn.Linear(DIM, DIM))

        def forward(self, x, edges):
            return self.gin(self.sage(x, edges).relu(), edges)

    return Both()


@correct("nodes", "edges", builds=True, needs=PYG)
def attention_layers_of_pyg():
    from torch_geometric.nn import GATv2Conv, TransformerConv, global_add_pool

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = GATv2Conv(DIM, 4), TransformerConv(4, 4)

        def forward(self, x, edges):
            graph = torch.zeros(x.size(0), dtype=torch.long, device=x.device)
            return global_add_pool(self.second(self.first(x, edges), edges), graph)

    return Both()


@correct("nodes", "edges", builds=True, needs=PYG)
def message_passing_with_degrees():
    from torch_geometric.nn import MessagePassing
    from torch_geometric.utils import add_self_loops, degree, softmax

    class Normalised(MessagePassing):
        def __init__(self):
            super().__init__(aggr="add")
            self.linear = nn.Linear(DIM, DIM)

        def forward(self, x, edges):
            edges, _ = add_self_loops(edges, num_nodes=x.size(0))
            scale = degree(edges[1], x.size(0)).pow(-0.5)
            return self.propagate(edges, x=self.linear(x), norm=scale[edges[0]] * scale[edges[1]])

        def message(self, x_j, norm, index):
            return softmax(norm, index)[:, None] * norm[:, None] * x_j

    return Normalised()


@correct("nodes", "graph_of_node", needs=PYG)
def pooled_and_made_dense(x, graph_of_node):
    from torch_geometric.nn import global_mean_pool
    from torch_geometric.utils import to_dense_batch

    return global_mean_pool(x, graph_of_node), to_dense_batch(x, graph_of_node)[0]


@correct("nodes", "edges", needs=PYG)
def batch_of_graphs(x, edges):
    from torch_geometric.data import Batch, Data
    from torch_geometric.utils import dropout_edge, to_undirected

    graph = Data(x=x, edge_index=edges).to(x.device)
    batch = Batch.from_data_list([graph, graph])
    kept, _ = dropout_edge(to_undirected(batch.edge_index), p=0.0)
    return batch.x.new_zeros(2 * NODES, DIM).index_add_(0, kept[1], batch.x[kept[0]])

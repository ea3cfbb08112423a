"""Molecules as graphs, mutagenic or not: the data set MUTAG, for trying out `GraphClassifier`.

188 nitro compounds that were tested on bacteria (Debnath et al. 1991): atoms are nodes, bonds are edges,
hydrogen is left out. Two thirds are mutagenic. Nothing is graded on them: 188 molecules are too few to tell a
good model from a fair one, and counting the atoms goes far.

    molecules = molecule_batch(range(100))
    model = GraphClassifier(len(ATOMS), 32, 2)
    model(molecules.x, molecules.edge_index, molecules.batch, molecules.n_graphs)   # (100, 2)
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from assignments.a5_gnn.homophily import GraphBatch

ATOMS = ("C", "N", "O", "F", "I", "Cl", "Br")
BONDS = (":", "-", "=", "#")  # aromatic, single, double, triple
LABELS = ("not", "mutagenic")
MOLECULES = 188

DATA = Path(__file__).resolve().parents[2] / "data" / "mutag.tsv"


@dataclass(frozen=True, eq=False)
class MoleculeBatch(GraphBatch):
    """Molecules: `x` (N, 7) is the kind of each atom, one-hot, in the order of ATOMS; 1 is mutagenic."""

    edge_attr: Tensor  # (E, 4) float32: the kind of each bond, one-hot, in the order of BONDS


@cache
def _lines() -> list[str]:
    return DATA.read_text(encoding="utf-8").splitlines()


def molecule_batch(numbers: Iterable[int] = range(MOLECULES)) -> MoleculeBatch:
    """The molecules of these `numbers` (0..187, lines of `data/mutag.tsv`), in this order, in one batch."""
    atoms: list[int] = []
    bonds: list[tuple[int, int]] = []
    kinds: list[int] = []
    batch: list[int] = []
    labels: list[int] = []
    for number in numbers:
        label, its_atoms, its_bonds = _lines()[number].split("\t")
        for bond in its_bonds.split():
            source, sign, target = re.split(r"(\D)", bond)
            bonds.append((len(atoms) + int(source), len(atoms) + int(target)))
            kinds.append(BONDS.index(sign))
        its_kinds = [ATOMS.index(atom) for atom in its_atoms.split()]
        atoms += its_kinds
        batch += [len(labels)] * len(its_kinds)
        labels.append(LABELS.index(label))
    edges = torch.tensor(bonds).T
    return MoleculeBatch(
        x=torch.eye(len(ATOMS))[atoms],
        edge_index=torch.cat([edges, edges.flip(0)], dim=1),
        edge_attr=torch.eye(len(BONDS))[kinds + kinds],
        batch=torch.tensor(batch),
        n_graphs=len(labels),
        y=torch.tensor(labels),
    )

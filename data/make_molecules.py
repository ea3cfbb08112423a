"""Write mutag.tsv, molecules and whether they are mutagenic. Run: python data/make_molecules.py WHEEL

WHEEL is the file of the package grakel 0.1.11, from `pip download grakel==0.1.11 --no-deps`, which carries
the data set MUTAG in the format of the TU Dortmund collection of graph data sets.
"""

import sys
from collections import defaultdict
from pathlib import Path
from zipfile import ZipFile

ATOMS = ("C", "N", "O", "F", "I", "Cl", "Br")
BONDS = (":", "-", "=", "#")  # aromatic, single, double, triple: the signs of SMILES


def column(wheel: ZipFile, name: str) -> list[str]:
    """The lines of one of the data set's files."""
    return wheel.read(f"grakel/tests/data/MUTAG/MUTAG_{name}.txt").decode("ascii").split("\n")[:-1]


def lines(wheel: ZipFile) -> list[str]:
    """Return the file's lines, without line ends: label, atoms, bonds.

    The atoms of a molecule are numbered from 0; a bond stands once, its lower number first.
    """
    graphs = [int(graph) - 1 for graph in column(wheel, "graph_indicator")]
    labels = ["mutagenic" if label.strip() == "1" else "not" for label in column(wheel, "graph_labels")]
    members: dict[int, list[int]] = defaultdict(list)
    for node, graph in enumerate(graphs):
        members[graph].append(node)
    atoms = [ATOMS[int(label)] for label in column(wheel, "node_labels")]
    bonds: dict[int, list[str]] = defaultdict(list)
    for pair, kind in zip(column(wheel, "A"), column(wheel, "edge_labels"), strict=True):
        source, target = (int(node) - 1 for node in pair.split(","))
        graph = graphs[source]
        if source < target:
            first = members[graph][0]
            bonds[graph].append(f"{source - first}{BONDS[int(kind)]}{target - first}")
    return [
        "\t".join((label, " ".join(atoms[i] for i in members[graph]), " ".join(bonds[graph])))
        for graph, label in enumerate(labels)
    ]


if __name__ == "__main__":
    with ZipFile(sys.argv[1]) as wheel:
        text = "".join(line + "\n" for line in lines(wheel))
        licence = wheel.read("grakel-0.1.11.dist-info/licenses/LICENSE").decode("utf-8")
    for name, content in (("mutag.tsv", text), ("mutag.LICENSE", licence)):
        Path(__file__).with_name(name).write_text(content, encoding="utf-8", newline="\n")

"""Write wordnet.tsv, a graph of nouns, from WordNet 3.0. Run: python data/make_wordnet_graph.py [FOLDER]

FOLDER holds WordNet's data.noun, index.noun and cntlist.rev: by default /usr/share/wordnet, where Debian's
package wordnet-base puts them. A node is a noun in one of its meanings (a synset), its class the topic under
which WordNet's editors filed it, its features are the words of its definition, and its edges WordNet's
relations between nouns.
"""

import random
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer

# WordNet's lexicographer files (lexnames(5WN)) that name a topic. Seven that share few words and few edges.
TOPICS = {
    5: "animal",
    8: "body",
    13: "food",
    15: "location",
    18: "person",
    21: "possession",
    27: "substance",
}
CANDIDATES = 400  # a topic, the most frequent in running text: only among these must a node have a neighbour
NODES = 200  # a topic, the most frequent of the candidates that have one
MIN_DEFINITIONS = 5  # a rarer word is left out of the features
TRAIN, TEST = (
    20,
    1000,
)  # labelled nodes a class, and test nodes, as in the splits of Planetoid (Yang et al. 2016)
SEED = 20250301

# Left out: "domain" pointers (;c -c ...), which tie whole subjects together rather than two nouns.
RELATIONS = {
    "!": "antonym",
    "@": "hypernym",
    "~": "hyponym",
    "@i": "instance of",
    "~i": "has instance",
    "#m": "member of",
    "#s": "substance of",
    "#p": "part of",
    "%m": "has member",
    "%s": "has substance",
    "%p": "has part",
    "+": "derived from",
}


@dataclass(frozen=True)
class Synset:
    """A noun in one of its meanings."""

    offset: str  # its place in data.noun, by which others point to it
    topic: str
    words: tuple[str, ...]
    related: frozenset[str]  # offsets
    definition: str


def synsets(text: str) -> list[Synset]:
    """The synsets of data.noun that lie in one of the topics (format: wndb(5WN)), in the file's order."""
    found = []
    for line in text.splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields, gloss = line.split(" | ", 1)
        offset, topic, _, n_words, *rest = fields.split()
        if int(topic) not in TOPICS:
            continue
        pointers = rest[2 * int(n_words, 16) + 1 :]
        related = {
            target
            for symbol, target, kind in zip(pointers[::4], pointers[1::4], pointers[2::4], strict=True)
            if symbol in RELATIONS and kind == "n"
        }
        words = tuple(rest[: 2 * int(n_words, 16) : 2])
        definition = re.split(r'; "', gloss)[0]  # examples of use follow
        found.append(Synset(offset, TOPICS[int(topic)], words, frozenset(related), definition))
    return found


def occurrences(index: str, counts: str) -> Counter[str]:
    """How often a synset (by offset) was met in WordNet's tagged texts, from index.noun and cntlist.rev."""
    senses: dict[tuple[str, int], str] = {}
    for line in index.splitlines():
        if not line.startswith("  "):
            lemma, _, n_synsets, *rest = line.split()
            for sense, offset in enumerate(rest[-int(n_synsets) :], start=1):
                senses[lemma, sense] = offset
    met: Counter[str] = Counter()
    for line in counts.splitlines():
        sense_key, sense, count = line.split()
        lemma, lexical = sense_key.split("%")
        if lexical.startswith("1:"):  # a noun
            # 122 keys, counted for another version of WordNet, name no sense of the index.
            met[senses.get((lemma, int(sense)), "")] += int(count)
    return met


def chosen(candidates: list[Synset], met: Counter[str], count: int) -> list[Synset]:
    """The `count` most frequent synsets of each topic."""
    ordered = sorted(candidates, key=lambda synset: (-met[synset.offset], synset.offset))
    return [s for topic in TOPICS.values() for s in [s for s in ordered if s.topic == topic][:count]]


def neighbours(nodes: list[Synset]) -> dict[str, set[str]]:
    """The offsets among `nodes` to which a relation leads, in either direction; none is its own neighbour."""
    offsets = {synset.offset for synset in nodes}
    near: dict[str, set[str]] = defaultdict(set)
    for synset in nodes:
        for target in (synset.related & offsets) - {synset.offset}:
            near[synset.offset].add(target)
            near[target].add(synset.offset)
    return near


def splits(nodes: list[Synset], rng: random.Random) -> list[str]:
    """`TRAIN` nodes of each topic, `TEST` of the others, and the rest to choose settings by."""
    split = ["val"] * len(nodes)
    for topic in TOPICS.values():
        for i in rng.sample([i for i, synset in enumerate(nodes) if synset.topic == topic], TRAIN):
            split[i] = "train"
    for i in rng.sample([i for i, name in enumerate(split) if name == "val"], TEST):
        split[i] = "test"
    return split


def lines(folder: Path) -> list[str]:
    """Return the file's lines, without line ends: split, topic, noun, its definition's words, its neighbours.

    A node's number is its line's, from 0; an edge stands once, on the line of the higher number.
    """
    read = {name: (folder / name).read_text("utf-8") for name in ("data.noun", "index.noun", "cntlist.rev")}
    met = occurrences(read["index.noun"], read["cntlist.rev"])
    candidates = chosen(synsets(read["data.noun"]), met, CANDIDATES)
    near = neighbours(candidates)
    nodes = chosen([synset for synset in candidates if near[synset.offset]], met, NODES)
    rng = random.Random(SEED)
    rng.shuffle(nodes)
    split = splits(nodes, rng)
    near = neighbours(nodes)
    number = {synset.offset: i for i, synset in enumerate(nodes)}
    vectorizer = CountVectorizer(token_pattern=r"[a-z]{3,}", stop_words="english", min_df=MIN_DEFINITIONS)
    words = vectorizer.inverse_transform(vectorizer.fit_transform(synset.definition for synset in nodes))
    return [
        "\t".join(
            (
                split[i],
                synset.topic,
                synset.words[0].replace("_", " "),
                " ".join(sorted(words[i])),
                " ".join(str(j) for j in sorted(number[offset] for offset in near[synset.offset]) if j < i),
            )
        )
        for i, synset in enumerate(nodes)
    ]


def licence(folder: Path) -> str:
    """WordNet's licence, from the numbered lines at the top of its files; it must stand beside every copy."""
    numbered = [
        line for line in (folder / "data.noun").read_text("utf-8").splitlines() if line.startswith("  ")
    ]
    return "".join(re.sub(r"^ +\d+ ", "", line).rstrip() + "\n" for line in numbered)


if __name__ == "__main__":
    source = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/wordnet")
    for name, text in (
        ("wordnet.tsv", "".join(line + "\n" for line in lines(source))),
        ("wordnet.LICENSE", licence(source)),
    ):
        Path(__file__).with_name(name).write_text(text, encoding="utf-8", newline="\n")

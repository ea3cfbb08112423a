"""Write reviews.tsv: snippets of film reviews that people found clearly good or clearly bad.

Run: python data/make_reviews.py vaderSentiment-3.3.2.tar.gz      the source distribution of vaderSentiment

As many good as bad; what the raters were not sure of is left out, and so is a snippet that shares most of its
words with one kept before, so that no test review was seen in training in other clothes.
"""

import io
import random
import re
import sys
import tarfile
from pathlib import Path

SNIPPETS = (
    "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"  # an archive within the archive
)
RATINGS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
TRAIN, TEST = 4800, 1000
SEED = 20250301
SURE = 1.5  # of 4: the mean of a snippet's ratings is at least so far from 0
WORDS = range(5, 31)
SAME = 0.6  # of all words of two snippets, the share that both have


def lines(archive: Path) -> list[str]:
    """Return the file's lines, without line ends: split, mean rating, text, separated by tabs."""
    good: list[tuple[float, str]] = []
    bad: list[tuple[float, str]] = []
    kept: list[frozenset[str]] = []
    for rating, text in rated_snippets(archive):
        words = re.findall(r"\w+", text.lower())
        if len(words) not in WORDS or abs(rating) < SURE:
            continue
        bag = frozenset(words)
        if any(len(bag & other) > SAME * len(bag | other) for other in kept):
            continue
        kept.append(bag)
        (good if rating > 0 else bad).append((rating, text))
    rng = random.Random(SEED)
    each = (TRAIN + TEST) // 2
    pairs = zip(rng.sample(good, each), rng.sample(bad, each), strict=True)
    # Pair by pair, so that both splits are balanced; then shuffled within each.
    chosen = [snippet for pair in pairs for snippet in pair]
    train, test = chosen[:TRAIN], chosen[TRAIN:]
    rng.shuffle(train)
    rng.shuffle(test)
    return [
        f"{split}\t{rating:.2f}\t{text}"
        for split, snippets in (("train", train), ("test", test))
        for rating, text in snippets
    ]


def rated_snippets(archive: Path) -> list[tuple[float, str]]:
    """Return (mean rating from -4 to 4, text) of every snippet, in the order of the source."""
    with tarfile.open(archive) as outer:
        snippets = io.BytesIO(outer.extractfile(SNIPPETS).read())
    with tarfile.open(fileobj=snippets) as inner:
        rows = inner.extractfile(RATINGS).read().decode("utf-8").splitlines()
    fields = (row.split("\t") for row in rows)
    return [(float(mean), re.sub(r"\s+", " ", text).strip()) for _, mean, text in fields]


if __name__ == "__main__":
    text = "".join(line + "\n" for line in lines(Path(sys.argv[1])))
    Path(__file__).with_name("reviews.tsv").write_text(text, encoding="utf-8", newline="\n")

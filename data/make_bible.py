"""Write web.txt: four books of the World English Bible, a verse a line, an empty line between chapters.

Run: python data/make_bible.py [FOLDER]      FOLDER is where Debian's sword-text-web keeps its module

The words are the module's own, unchanged; its mark-up, footnotes and headings are left out.
"""

import re
import sys
from pathlib import Path

from pysword.modules import SwordModules

MODULE = "engWEB2015eb"
# Stories throughout. No two of these tell the same one again in the same words, as Kings and Chronicles or
# three of the gospels do, so that held-out chapters are new.
BOOKS = {"Gen": 50, "Ruth": 4, "1Sam": 31, "2Sam": 24}
FOOTNOTE = "\0"


def chapters(folder: str) -> list[str]:
    """Return the text of every chapter of the books, its verses separated by line ends."""
    modules = SwordModules(folder)
    modules.parse_modules()
    bible = modules.get_bible_from_module(MODULE)
    return [
        "\n".join(map(plain, bible.get_iter(books=[book], chapters=[chapter], clean=False)))
        for book, count in BOOKS.items()
        for chapter in range(1, count + 1)
    ]


def plain(verse: str) -> str:
    """Return a verse's own words from its OSIS mark-up.

    pysword's `clean` glues together the words that stand around a footnote.
    """
    verse = re.sub(r"<(note|title)\b.*?</\1>", FOOTNOTE, verse, flags=re.DOTALL)
    verse = re.sub(r"<[^>]*>", "", verse)
    verse = re.sub(rf"{FOOTNOTE}(?=[^\w“‘(]|$)", "", verse).replace(FOOTNOTE, " ")
    return re.sub(r"\s+", " ", verse).strip()


if __name__ == "__main__":
    text = "\n\n".join(chapters(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/sword")) + "\n"
    Path(__file__).with_name("web.txt").write_text(text, encoding="utf-8", newline="\n")

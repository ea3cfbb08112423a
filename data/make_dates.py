"""Write dates.tsv: dates as people write them in English, and as ISO 8601. Run: python data/make_dates.py

Every date of 1950 to 2049 is used at most once, so no test date was ever seen in training.
"""

import datetime
import random
from pathlib import Path

from babel.dates import format_date

TRAIN, TEST = 4000, 500
SEED = 20250301
FIRST, LAST = datetime.date(1950, 1, 1), datetime.date(2049, 12, 31)
# Left out: "short", since 03/04/98 is in March here and in April there, and "full", which is long.
FORMATS = [(locale, length) for locale in ("en_GB", "en_US") for length in ("medium", "long")]


def lines() -> list[str]:
    """Return the file's lines, without line ends: split, written date, ISO date, separated by tabs."""
    rng = random.Random(SEED)
    days = rng.sample(range((LAST - FIRST).days + 1), TRAIN + TEST)
    rows = []
    for i, day in enumerate(days):
        date = FIRST + datetime.timedelta(days=day)
        locale, length = rng.choice(FORMATS)
        written = format_date(date, format=length, locale=locale)
        rows.append(f"{'train' if i < TRAIN else 'test'}\t{written}\t{date.isoformat()}")
    return rows


if __name__ == "__main__":
    text = "".join(line + "\n" for line in lines())
    Path(__file__).with_name("dates.tsv").write_text(text, encoding="utf-8", newline="\n")

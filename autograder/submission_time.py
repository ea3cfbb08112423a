"""When a submission was made, as its files or its history say. Both are in the student's hand."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from autograder.git_data import open_repository


def newest_file_time(folder: Path) -> datetime | None:
    """The time of the newest Python file that lies in `folder`, in UTC; None where there is none.

    Raises OSError where the folder cannot be listed.
    """
    newest = None
    with os.scandir(folder) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            if entry.name.endswith(".py") and stat.S_ISREG(status.st_mode):
                newest = max(newest or 0.0, status.st_mtime)
    return None if newest is None else datetime.fromtimestamp(newest, UTC)


def commit_time(repository: Path, folder: str, commit: str | None = None) -> datetime:
    """The committer's time, in UTC, of the last commit that touched `folder` up to `commit`, or HEAD.

    Raises GitDataError where the repository or the commit cannot be read.
    """
    with open_repository(repository) as data:
        return data.time(commit or data.head(), folder)

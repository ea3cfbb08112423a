"""Imports a submission's modules by plain name from sources held in memory.

One importer for both worlds: a student's own process, and the worker, which has no file system.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import linecache
import sys
from collections.abc import Mapping, Sequence
from types import CodeType, ModuleType


class SubmissionImporter(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the modules of one submission.

    `sources` maps plain module names to source text, `paths` to the file names that tracebacks
    show. While installed, a submission's file comes before any library of the same name, as in a
    script's own folder; `remove` puts everything back, so that several submissions with modules
    of the same name can follow one another in one process.
    """

    def __init__(self, sources: Mapping[str, str], paths: Mapping[str, str]) -> None:
        self.sources = dict(sources)
        self.paths = dict(paths)
        self.loaded: set[str] = set()  # the paths of what was imported, and so is the submission's code
        self._shadowed: dict[str, ModuleType] = {}

    def install(self) -> None:
        if self in sys.meta_path:
            return
        sys.meta_path.insert(0, self)
        for name, source in self.sources.items():
            path = self.paths[name]
            linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)

    def remove(self) -> None:
        if self not in sys.meta_path:
            return
        sys.meta_path.remove(self)
        for name in self.sources:
            if self.owns(sys.modules.get(name)):
                del sys.modules[name]
            linecache.cache.pop(self.paths[name], None)
        sys.modules.update(self._shadowed)
        self._shadowed.clear()

    def load(self, name: str) -> ModuleType:
        """Import module `name`; whatever its code raises comes through."""
        self.install()
        present = sys.modules.get(name)
        if present is not None and not self.owns(present):
            self._shadowed[name] = sys.modules.pop(name)
        return importlib.import_module(name)

    def owns(self, module: ModuleType | None) -> bool:
        return getattr(getattr(module, "__spec__", None), "loader", None) is self

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.sources:
            return None
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=self.paths[fullname])
        spec.has_location = True  # so that __file__ is set, as for any other module
        return spec

    def get_source(self, fullname: str) -> str:
        return self.sources[fullname]

    def get_code(self, fullname: str) -> CodeType:
        self.loaded.add(self.paths[fullname])
        return self.source_to_code(self.sources[fullname], self.paths[fullname])

    def is_package(self, fullname: str) -> bool:
        return False

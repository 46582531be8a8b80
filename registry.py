"""The plug-in mechanism: a folder of modules, each of which registers one named item."""

import importlib
import pkgutil
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class UnknownName(LookupError):
    """A name that no plug-in carries; the message lists the names that exist."""


class DuplicateName(ValueError):
    """Two plug-ins claim one name."""


class Registry(Generic[T]):
    """Names to items of one kind; the modules of its package load on first use.

    kind: the word used in error messages, such as "method".
    package: the package whose modules register items, usually `__name__` of its `__init__`.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._items: dict[str, T] = {}
        self._loaded = False
        self._lock = threading.RLock()

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: file the decorated object under `name`. Raises DuplicateName."""

        def add(item: T) -> T:
            if name in self._items:
                raise DuplicateName(f"{self.kind} {name!r} is registered twice")
            self._items[name] = item
            return item

        return add

    def get(self, name: str) -> T:
        """The item called `name`. Raises UnknownName, which lists the known names."""
        self._load()
        if name not in self._items:
            raise UnknownName(f"unknown {self.kind} {name!r}; known: {', '.join(sorted(self._items))}")
        return self._items[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        self._load()
        return sorted(self._items)

    def _load(self) -> None:
        with self._lock:  # other threads wait until all are there; the loading one may come back in
            if self._loaded:
                return
            self._loaded = True  # before the imports: a plug-in may ask for its siblings' names
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                if not module.name.startswith("_"):
                    importlib.import_module(f"{self._package}.{module.name}")

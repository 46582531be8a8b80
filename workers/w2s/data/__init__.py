"""Datasets with ground truth: built in (one file each), from a folder of JSON lines, or from the hub."""

from collections.abc import Callable

from registry import Registry
from workers.w2s.data._trouble import DataError
from workers.w2s.spec import Dataset

__all__ = ["DATASETS", "DataError", "load_dataset"]

DATASETS: Registry[Callable[[], Dataset]] = Registry("dataset", __name__)


def load_dataset(name: str) -> Dataset:
    """A built-in dataset by its name. Raises: UnknownName, DataError."""
    return DATASETS.get(name)()

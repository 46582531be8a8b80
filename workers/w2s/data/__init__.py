"""Datasets with ground truth: built in (one file each), from a folder of JSON lines, or from the hub."""

from collections.abc import Callable
from pathlib import Path

from registry import Registry
from workers.w2s.data._trouble import DataError
from workers.w2s.data.hub import load_hub
from workers.w2s.data.jsonl import load_folder
from workers.w2s.spec import Dataset

__all__ = ["DATASETS", "DataError", "load_dataset"]

DATASETS: Registry[Callable[[], Dataset]] = Registry("dataset", __name__)


def load_dataset(name: str) -> Dataset:
    """A built-in dataset by its name, "path:/FOLDER" or "hub:OWNER/NAME" in the released layout.

    Raises: registry.UnknownName, DataError; a dataset is delivered whole or not at all.
    """
    if name.startswith("path:"):
        return load_folder(Path(name.removeprefix("path:")).expanduser(), name=name)
    if name.startswith("hub:"):
        return load_hub(name)
    return DATASETS.get(name)()

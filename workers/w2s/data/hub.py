"""Loads datasets in the released layout from the Hugging Face hub, or from its cache on this machine."""

import re
from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from workers.w2s.data._trouble import DataError
from workers.w2s.data.jsonl import FILES, load_folder
from workers.w2s.spec import Dataset

_NAME = re.compile(r"(?P<repository>[\w.\-]+/[\w.\-]+)(?:/(?P<folder>[\w.\-]+(?:/[\w.\-]+)*))?")


def load_hub(name: str) -> Dataset:
    """The dataset "hub:OWNER/NAME" or "hub:OWNER/NAME/FOLDER"; only its three files are downloaded.

    Raises: DataError where the name, the network or a row is at fault.
    """
    match = _NAME.fullmatch(name.removeprefix("hub:"))
    if match is None or ".." in name:
        raise DataError(f"{name!r}: expected hub:OWNER/NAME or hub:OWNER/NAME/FOLDER")
    folder = match["folder"] or "."
    patterns = [file if folder == "." else f"{folder}/{file}" for file in FILES]
    try:
        snapshot = huggingface_hub.snapshot_download(match["repository"], repo_type="dataset", allow_patterns=patterns)
    except RepositoryNotFoundError as error:
        raise DataError(f"{name}: there is no such dataset on the hub, or it is private") from error
    except HFValidationError as error:
        raise DataError(f"{name}: not a name the hub knows: {error}") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise DataError(
            f"{name}: not in the hub's cache on this machine, and the hub cannot be reached (HF_HUB_OFFLINE set, or no "
            "network); a folder with the same files can be loaded as path:/FOLDER"
        ) from error
    return load_folder(Path(snapshot) / folder, name=name)

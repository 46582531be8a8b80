"""What the monitor is given to read: the code of an experiment, what changed in it, and what is claimed of it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from experiments.models import Experiment
from experiments.snapshots.models import Snapshot
from experiments.snapshots.selectors import difference, files_of
from forum.models import Finding

MOST_CHARACTERS = 120_000  # about 40,000 tokens; the largest honest snapshot of the red-team suite has 3,000 characters
LEAST_PART = 2_000  # of a text that is cut: less than this tells nothing
MOST_PARENTS = 2
MOST_FINDINGS = 5
MAIN_FILE = "method.py"


@dataclass(frozen=True, slots=True)
class Piece:
    """One text. where: "claim", "file:method.py", "diff:snapshot 3", "finding:7"."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Material:
    """What is shown, in order. left_out: what did not fit, in words."""

    experiment: int
    pieces: tuple[Piece, ...]
    left_out: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all of it: the same material is not read twice."""
        parts = [[piece.where, piece.text] for piece in self.pieces]
        return hashlib.sha256(json.dumps([parts, self.left_out]).encode()).hexdigest()


def material_of(experiment_id: int) -> Material:
    """For a code experiment, as its rows are now. No score is among it: a model must not judge by the result."""
    row = Experiment.objects.select_related("benchmark").get(pk=experiment_id)
    if row.snapshot_id is None:
        raise ValueError(f"experiment {experiment_id} ran no code")
    return fitted(experiment_id, list(_pieces(row)))


def fitted(experiment_id: int, pieces: list[Piece], most: int = MOST_CHARACTERS) -> Material:
    """As much as there is room for, in order; a text that does not fit is cut, and what is missing is named."""
    shown, left_out, room = [], [], most
    for piece in pieces:
        if len(piece.text) <= room:
            shown.append(piece)
            room -= len(piece.text)
        elif room >= LEAST_PART:
            shown.append(Piece(piece.where, piece.text[:room]))
            left_out.append(f"{piece.where}, from character {room:,} of {len(piece.text):,} on")
            room = 0
        else:
            left_out.append(f"{piece.where} ({len(piece.text):,} characters)")
    return Material(experiment_id, tuple(shown), tuple(left_out))


def _pieces(row: Experiment) -> Iterator[Piece]:
    yield Piece("claim", f"Title: {row.title}\nHypothesis: {row.hypothesis}")
    files = files_of(row.snapshot_id or 0)
    for path in sorted(files, key=lambda path: (path != MAIN_FILE, len(files[path]), path)):
        yield Piece(f"file:{path}", files[path])
    cited = Finding.objects.shown().filter(experiments=row, author=row.submitter_id)
    for finding in cited.order_by("id")[:MOST_FINDINGS]:
        yield Piece(f"finding:{finding.pk}", f"{finding.title}\n\n{finding.body}")
    parents = Snapshot.objects.filter(children=row.snapshot_id).order_by("-pk")
    for parent in parents[:MOST_PARENTS]:
        changes = [each.unified for each in difference(parent.pk, row.snapshot_id or 0) if each.unified]
        yield Piece(f"diff:snapshot {parent.pk}", "".join(changes))

"""Handing method code in: checked whole, stored once, never changed."""

from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

from django.db import transaction

from experiments.errors import Forbidden, InvalidInput
from experiments.guard import Call, guard
from experiments.permissions import can_submit
from experiments.snapshots.archives import read_archive
from experiments.snapshots.models import Snapshot, SnapshotParent
from experiments.snapshots.trees import check_tree, tree_digest

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAX_PARENTS = 20


def create_snapshot(
    *,
    user: "User",
    files: Mapping[str, object] | None = None,
    archive: IO[bytes] | None = None,
    parents: Sequence[int] = (),
) -> Snapshot:
    """The snapshot of that content: a new one, or the one that exists already, with its first submitter and descent.

    files: path -> text; archive: a tar.gz of the same; exactly one of them. parents: snapshots it started from.
    Raises: Forbidden, InvalidInput (names the file), TooLarge.
    """
    if not can_submit(user):
        raise Forbidden("your role may not submit code")
    if (files is None) == (archive is None):
        raise InvalidInput("give either files or an archive", pointer="#/files")
    tree = check_tree(read_archive(archive) if archive is not None else files or {})
    origin = _existing_parents(parents)
    digest = tree_digest(tree)
    with transaction.atomic():
        guard().admit(user, Call("create_snapshot", {"files": tree, "parents": origin}))
        snapshot, made = Snapshot.objects.get_or_create(
            digest=digest,
            defaults={
                "submitter": user,
                "files": tree,
                "n_files": len(tree),
                "size_bytes": sum(len(text.encode()) for text in tree.values()),
            },
        )
        if made:
            SnapshotParent.objects.bulk_create(SnapshotParent(child=snapshot, parent_id=parent) for parent in origin)
    return snapshot


def _existing_parents(parents: Sequence[int]) -> list[int]:
    wanted = sorted(set(parents))
    if len(wanted) > MAX_PARENTS:
        raise InvalidInput(f"at most {MAX_PARENTS} parents", pointer="#/parents")
    known = set(Snapshot.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    missing = [parent for parent in wanted if parent not in known]
    if missing:
        raise InvalidInput(f"there is no snapshot {missing[0]}", pointer="#/parents")
    return wanted

"""Writes a checked archive into this lab: rows under new ids, in one transaction, all or nothing."""

from typing import IO, TYPE_CHECKING, Any

from django.db import transaction
from django.db.utils import DatabaseError

from experiments import events
from experiments.archives.columns import Row
from experiments.archives.folders import scratch_folder
from experiments.archives.models import ImportedCampaign, ImportedRow
from experiments.archives.reading import Opened, open_archive
from experiments.archives.tables import Names, Scope, Table, World
from experiments.errors import Forbidden, InvalidInput, LabError

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_CHUNK = 1000


def import_archive(*, user: "User", source: IO[bytes]) -> ImportedCampaign:
    """The campaign in it, for reading only. Nothing that is here is changed; a second import is refused.

    Raises: Forbidden; InvalidInput or TooLarge: what is wrong with the archive, and nothing was written.
    """
    if not user.has_perm("experiments.run_campaign"):
        raise Forbidden("you may not import campaigns")
    with scratch_folder() as folder:
        opened = open_archive(source, folder)
        digest = opened.manifest["content_sha256"]
        known = ImportedCampaign.objects.filter(content_digest=digest).first()
        if known is not None:
            raise InvalidInput(f"this archive was imported before: it is campaign {known.campaign}")
        try:
            return _write(user, opened, digest)
        except DatabaseError as error:
            raise InvalidInput(f"the database refuses the archive: {_first_line(error)}") from error


@transaction.atomic
def _write(user: "User", opened: Opened, digest: str) -> ImportedCampaign:
    manifest = opened.manifest
    last = ImportedCampaign.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    world = World(lab=manifest["lab"], tag=f"import-{last + 1}", user_id=user.pk, files=opened.content)
    written: list[ImportedRow] = []
    for table in opened.tables:
        world.locals[table.name] = {}
        for number, row in enumerate(opened.rows(table), start=1):
            place = f"tables/{table.name}.jsonl, line {number}"
            try:
                written.append(_write_row(table, row, world))
            except DatabaseError as error:
                raise InvalidInput(f"{place}: the database refuses it: {_first_line(error)}") from error
            except LabError as error:
                raise InvalidInput(f"{place}: {error}") from error
    source = ImportedCampaign.objects.create(
        campaign=world.campaign,
        lab=world.lab,
        source_campaign=manifest["campaign"]["id"],
        content_digest=digest,
        manifest=manifest,
        imported_by=user,
    )
    for line in written:
        line.source = source
    ImportedRow.objects.bulk_create(written, batch_size=_CHUNK)
    for table in opened.tables:
        table.finish(world)
    payload = {"campaign": world.campaign, "lab": world.lab, "source_campaign": source.source_campaign}
    events.record("campaign.imported", f"campaign:{world.campaign}", actor=user, payload=payload)
    return source


def _write_row(table: Table, row: Row, world: World) -> ImportedRow:
    line = ImportedRow(table=table.name, original_id=row["id"])
    if not table.restored:
        line.original = row
        return line
    made = table.restore(row, world)
    world.locals[table.name][row["id"]] = made.pk
    line.local_id = made.pk
    line.original = _translated(table, row, made.pk, world)
    return line


def _translated(table: Table, row: Row, local_id: int, world: World) -> dict[str, Any]:
    """Columns that an export from here would write otherwise. Raises: InvalidInput if one of them must not be."""
    here = table.base().get(pk=local_id)
    originals = {name: {there: key for key, there in ids.items()} for name, ids in _named(table, row, world).items()}
    again = table.read(here, Names({}, originals), Scope(campaign=world.campaign, holdout=True))
    differing = {name: row[name] for name in row if again[name] != row[name]}
    wrong = sorted(set(differing) - table.translated)
    if wrong:
        raise InvalidInput(
            f"{table.name} {row['id']}: {', '.join(wrong)} would not be kept as it is in the archive"
            f" ({again[wrong[0]]!r} instead of {row[wrong[0]]!r})"
        )
    return differing


def _named(table: Table, row: Row, world: World) -> dict[str, dict[int, int]]:
    """The ids that this row mentions, there and here: not the whole map for each row."""
    named: dict[str, dict[int, int]] = {table.name: {row["id"]: world.locals[table.name][row["id"]]}}
    for column in table.columns:
        if column.to:
            value = row[column.name]
            for each in value if isinstance(value, list) else [value]:
                if each is not None:
                    named.setdefault(column.to, {})[each] = world.locals[column.to][each]
    return named


def _first_line(error: DatabaseError) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def imported_campaign(campaign: int) -> ImportedCampaign | None:
    """Where a campaign came from; None for one of this lab."""
    return ImportedCampaign.objects.filter(campaign=campaign).select_related("imported_by").first()

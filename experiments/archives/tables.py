"""What a table of an archive is: typed columns, which rows belong to a campaign, how a row is read and restored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from graphlib import TopologicalSorter
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils.module_loading import import_string

from experiments.archives.checks import check_row
from experiments.archives.columns import Column, Row, attr_of, column_of
from experiments.errors import InvalidInput
from experiments.unsaid import Unsaid

_BLANK: Mapping[type, Any] = {str: "", list: [], dict: {}}


@dataclass(slots=True)
class Scope:
    """What an export covers.

    imported: id of the ImportedCampaign where it came from elsewhere. seen: ids that rows written so far refer to, by
    table. ids: what tables have worked out about the campaign. unsaid: what people hid, and nobody's record may say.
    """

    campaign: int
    holdout: bool = False
    imported: int | None = None
    seen: dict[str, set[int]] = field(default_factory=dict)
    ids: dict[str, set[int]] = field(default_factory=dict)
    unsaid: Unsaid = field(default_factory=Unsaid)


class Names:
    """Ids here and there. Without a map (a campaign of this lab) they are the same."""

    def __init__(self, seen: dict[str, set[int]], originals: Mapping[str, Mapping[int, int]] | None = None) -> None:
        self._seen, self._originals = seen, originals

    def original(self, table: str, local_id: int | None) -> int | None:
        """What the archive calls a row of this lab."""
        if local_id is None:
            return None
        self._seen.setdefault(table, set()).add(local_id)
        return local_id if self._originals is None else self._originals.get(table, {}).get(local_id)


@dataclass(slots=True)
class World:
    """An import under way: ids from there to here, the files that came along.

    campaign: number here, 0 until its row is made. lab: where it comes from. tag: marks names, "import-3".
    """

    lab: str
    tag: str
    user_id: int
    files: Callable[[str], bytes]
    campaign: int = 0
    locals: dict[str, dict[int, int]] = field(default_factory=dict)

    def local(self, table: str, original_id: int | None) -> int | None:
        """The id here of a row of the archive; None for None."""
        return None if original_id is None else self.locals[table][original_id]


class Table:
    """One table. A subclass says its columns and model; restoring goes by the columns unless it says otherwise.

    restored False: the lab that imports keeps the rows as they came, because it could not make them true.
    told: columns that anybody may read, agents too; what is in no table's `told` goes with the holdout's scores only.
    quotes: columns in which agents' own words and what they read stand. translated: columns that may read otherwise in
    the lab that imports. after: tables to restore first, beside those
    that columns refer to.
    """

    name: str
    columns: Sequence[Column]
    model: ClassVar[type[Model]]
    told: frozenset[str] = frozenset()
    quotes: ClassVar[frozenset[str]] = frozenset()
    restored: ClassVar[bool] = True
    after: ClassVar[frozenset[str]] = frozenset()
    translated: ClassVar[frozenset[str]] = frozenset()

    def select(self, scope: Scope) -> QuerySet[Any]:
        """The campaign's rows in this lab; as it stands, those that rows of other tables refer to."""
        return self.base().filter(pk__in=scope.seen.get(self.name, set()))

    def admits(self, row: Any, scope: Scope) -> bool:
        """Whether a row of an imported campaign may go into this export, too.

        row: the model's row; what the archive held where nothing was restored.
        """
        return True

    def base(self) -> QuerySet[Any]:
        """Rows with what `read` follows."""
        return self.model._default_manager.all()

    def key(self, row: Any) -> int:
        """The id of a row."""
        return int(row.pk)

    def read(self, row: Any, names: Names, scope: Scope) -> Row:
        """A row as the archive holds it."""
        return {column.name: self.value(column, row, names) for column in self.columns}

    def value(self, column: Column, row: Any, names: Names) -> Any:
        """One value, ids as the archive calls them, times as text."""
        if column.kind == "id":
            return names.original(self.name, self.key(row))
        found = getattr(row, attr_of(column))
        if column.kind == "ref":
            return names.original(column.to, found)
        if isinstance(found, datetime):
            return found.isoformat(timespec="microseconds")
        return found

    def shown(self, row: Row, scope: Scope) -> Row:
        """The row as those may see it for whom the export is: the one place that decides what stays behind."""
        if not scope.holdout:
            row = {
                column.name: row[column.name] if column.name in self.told else _blank(column, row[column.name])
                for column in self.columns
            } | self.partly(row)
        return row | {name: scope.unsaid.taken_out(row[name]) for name in self.quotes}

    def partly(self, row: Row) -> Row:
        """Of columns that are not told: what of their values anybody may read all the same."""
        return {}

    def checked(self, row: object, place: str) -> Row:
        """A row of an archive, if this lab could have written it. Raises: InvalidInput naming the column."""
        return check_row(self.columns, row, place, self.model)

    def attachments(self, row: Any) -> Iterator[tuple[str, bytes]]:
        """Files that belong to a row: path in the archive, content."""
        return iter(())

    def restore(self, row: Row, world: World) -> Model:
        """Write a row; everything it refers to is there. Returns: the row here, perhaps one that there was already."""
        made = self.model(**self.fields(row, world))
        # raw: nothing fills in today's date
        made.save_base(raw=True, force_insert=True)
        return made

    def fields(self, row: Row, world: World) -> dict[str, Any]:
        """The model's attributes for a row of the archive."""
        return {
            attr_of(column): _restored(column, row[column.name], world)
            for column in self.columns
            if column.kind not in ("id", "refs")
        }

    def finish(self, world: World) -> None:
        """What is left to do when all rows are there."""


class _Stranger(Table):
    """A table that only the lab knew where the campaign comes from: kept as it came, exported again.

    sealed: came with the holdout's scores; what of it tells them is not known here, so all of it goes with them only.
    """

    restored = False

    def __init__(self, name: str, columns: Sequence[Column], *, sealed: bool) -> None:
        self.name, self.columns, self._sealed = name, columns, sealed
        self.told = frozenset(column.name for column in columns)

    def checked(self, row: object, place: str) -> Row:
        """By what the manifest says of its columns."""
        return check_row(self.columns, row, place)

    def admits(self, row: Any, scope: Scope) -> bool:
        """All or nothing."""
        return scope.holdout or not self._sealed


@cache
def tables() -> list[Table]:
    """Every table of every app that settings.ARCHIVE_PARTS names, those that others refer to first.

    An app adds its part by a module, named there, with a list TABLES and a function collect(scope).
    """
    found: dict[str, Table] = {}
    for path in settings.ARCHIVE_PARTS:
        for each in import_string(f"{path}.TABLES"):
            if each.name in found:
                raise ValueError(f"{path}: a table {each.name} exists already")
            found[each.name] = each
    graph = {
        table.name: sorted({each.to for each in table.columns if each.to and each.to != table.name} | table.after)
        for table in found.values()
    }
    return [found[name] for name in TopologicalSorter(graph).static_order()]


def collect(scope: Scope) -> None:
    """Has every app work out what belongs to the campaign; upper apps first, because what they cite belongs to it."""
    for path in reversed(settings.ARCHIVE_PARTS):
        import_string(f"{path}.collect")(scope)


def described(table: Table) -> dict[str, Any]:
    """What a manifest says of a table's form."""
    columns = [{"name": each.name, "kind": each.kind, "to": each.to, "null": each.null} for each in table.columns]
    return {"columns": columns, "restored": table.restored}


def stranger(name: str, facts: Mapping[str, Any], *, sealed: bool = True) -> Table:
    """A table by what a manifest says of it. Raises: InvalidInput if this lab would have to know it."""
    if facts.get("restored") is not False:
        raise InvalidInput(f"this lab does not know the table {name[:60]!r}")
    columns = facts.get("columns")
    if not isinstance(columns, list) or not columns:
        raise InvalidInput(f"table {name[:60]!r} has no columns")
    return _Stranger(name, [column_of(name, each) for each in columns], sealed=sealed)


def _blank(column: Column, value: Any) -> Any:
    """Nothing, in a form that the column takes."""
    return None if column.null or value is None else _BLANK.get(type(value))


def _restored(column: Column, value: Any, world: World) -> Any:
    if column.kind == "ref":
        return world.local(column.to, value)
    return datetime.fromisoformat(value) if column.kind == "time" and value is not None else value

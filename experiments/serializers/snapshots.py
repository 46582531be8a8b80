"""Snapshots: what is handed in, and what is told of them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from experiments.serializers.fields import LARGEST_NUMBER, Input
from experiments.snapshots.diffs import Change
from experiments.snapshots.services import MAX_PARENTS


class Parents(serializers.ListField):
    """Ids; a form, which knows no lists, repeats the field."""

    child = serializers.IntegerField(min_value=1, max_value=LARGEST_NUMBER)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False, max_length=MAX_PARENTS, help_text="Ids of the snapshots it started from", **kwargs
        )


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class Files(serializers.Field[Any, Any, Any, Any]):
    """Path -> text; the service checks each of them."""

    def to_internal_value(self, data: Any) -> dict[str, object]:
        if not isinstance(data, dict):
            raise serializers.ValidationError('expected {"path": "text", …}', code="not_an_object")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class FilesInput(Input):
    """A tree as JSON."""

    files = Files(help_text="Path -> text; `method.py` at the top defines fit(context)")
    parents = Parents()


class ArchiveInput(Input):
    """A tree as multipart form data."""

    archive = serializers.FileField(help_text="tar.gz of regular UTF-8 files")
    parents = Parents()


class FileFacts(serializers.Serializer[Any]):
    """One file."""

    path = serializers.CharField()
    size_bytes = serializers.IntegerField()
    n_lines = serializers.IntegerField()
    digest = serializers.CharField(help_text="SHA-256")


class Snapshot(serializers.Serializer[Any]):
    """One snapshot without the texts of its files."""

    id = serializers.IntegerField(source="snapshot.pk")
    digest = serializers.CharField(source="snapshot.digest", help_text="SHA-256 of paths and contents")
    submitter = serializers.CharField(source="snapshot.submitter.username", help_text="Who came first with it")
    created_at = serializers.DateTimeField(source="snapshot.created_at")
    size_bytes = serializers.IntegerField(source="snapshot.size_bytes")
    files = FileFacts(many=True)
    parents = serializers.ListField(child=serializers.IntegerField())
    children = serializers.ListField(child=serializers.IntegerField(), help_text="The first 200 that started from it")


class FileText(serializers.Serializer[Any]):
    """One file with its text."""

    path = serializers.CharField()
    text = serializers.CharField(allow_blank=True)


class Difference(serializers.Serializer[Any]):
    """One file that differs."""

    path = serializers.CharField()
    change = serializers.ChoiceField(choices=list(Change))
    unified = serializers.CharField(allow_null=True, help_text="As of `diff -u`; null for files too long to be shown")


class Comparison(serializers.Serializer[Any]):
    """How two snapshots differ, file by file; empty if they are the same."""

    before = serializers.IntegerField()
    after = serializers.IntegerField()
    files = Difference(many=True)

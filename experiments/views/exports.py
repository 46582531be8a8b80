"""Answers that are files."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import StreamingHttpResponse


class _Echo:
    """A file that gives back what is written to it: csv wants one to write to."""

    def write(self, text: str) -> str:
        return text


def csv_answer(filename: str, rows: Iterable[list[Any]]) -> StreamingHttpResponse:
    """The rows as a CSV file, streamed."""
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        for row in rows:
            yield writer.writerow(row)

    answer = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{filename}"'
    return answer

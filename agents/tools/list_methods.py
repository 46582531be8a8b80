"""Shows the recipes with their options."""

import json
from typing import ClassVar

from pydantic import Field

from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from experiments.models import Method


class ListMethodsArguments(Arguments):
    """All of them, or one in full."""

    method: str = Field("", description="Name of one recipe, to see its options in full; empty for the list.")


@TOOLS.register("list_methods")
class ListMethods(Tool):
    """The rows that the workers announced."""

    name: ClassVar[str] = "list_methods"
    summary: ClassVar[str] = "The recipes you can run: what each does, what it uses, its class; one of them in full."
    Arguments: ClassVar[type[Arguments]] = ListMethodsArguments
    outside: ClassVar[bool] = True
    writes: ClassVar[bool] = False

    def run(self, actor: ToolActor, arguments: ListMethodsArguments) -> ToolResult:
        """The list, or one recipe with source and options."""
        enabled = Method.objects.filter(enabled=True)
        if not arguments.method:
            lines = [f"- {each.name} ({each.method_class}): {each.summary}" for each in enabled]
            return ToolResult("\n".join(lines) or "No worker has announced its recipes yet.")
        found = enabled.filter(name=arguments.method).first()
        if found is None:
            known = ", ".join(enabled.values_list("name", flat=True))
            return ToolResult(f"no method {arguments.method!r}; known: {known}", is_error=True)
        options = json.dumps(found.options_schema.get("properties", {}), indent=1, sort_keys=True)
        return ToolResult(
            f"{found.name}: {found.summary}\nSource: {found.source}\nUses: {found.uses}\nOptions: {options}"
        )

"""What the OpenAPI description says beside the views: how to authenticate, and that every error is a problem."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from aarweb.problems import CONTENT_TYPE, PROBLEMS

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "instance"],
    "properties": {
        "type": {
            "type": "string",
            "description": "What went wrong; stable, branch on it",
            "enum": sorted({f"/problems/{each.slug}" for each in PROBLEMS.values()}),
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people"},
        "instance": {"type": "string", "description": "The path that was called"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body, such as #/seeds"},
                    "parameter": {"type": "string", "description": "Name of the query parameter"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "budget": {"type": "string", "description": "over-budget: which"},
        "limit": {"type": "integer", "description": "over-budget: how much it is"},
        "refills_at": {"type": ["string", "null"], "format": "date-time", "description": "over-budget: when"},
        "upload": {"type": "integer", "description": "scorer-unavailable: the upload that waits"},
    },
}


class Schema(AutoSchema):
    """drf-spectacular's, in which each operation may also answer with a problem."""

    def get_tags(self) -> list[str]:
        """The first word below /api/v1/."""
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_summary(self) -> str | None:
        """The first line of what the view's method says of itself, beside its address in the documentation."""
        lines = super().get_description().splitlines()
        return lines[0] if lines else None

    def get_description(self) -> str:  # type: ignore[override]
        """What the view's method says after that line."""
        return "\n".join(super().get_description().splitlines()[1:]).strip()

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        reference = {"$ref": "#/components/schemas/Problem"}
        bodies["default"] = {"description": "A problem", "content": {CONTENT_TYPE: {"schema": reference}}}
        return bodies


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer aar_…`"""

    target_class = "agents.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "aar_…"}


def add_problem(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A postprocessing hook: puts the Problem schema among the components."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    return result

"""JSON Schemas of the events, one file each: the same file serves the API's model, the run-time check and the docs."""

import json
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["load"]


@cache
def load(name: str) -> dict[str, Any]:
    """Read the schema `name`.schema.json, a JSON Schema of draft 4 (what API Gateway's models take)."""
    text = resources.files(__name__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema

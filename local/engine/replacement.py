"""Replace a function of the engine, or say that the engine is not the one the extensions were written for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["EngineChangedError", "engine_attribute", "replace"]


class EngineChangedError(Exception):
    """The engine lacks what an extension replaces; the message is one sentence that names it."""


def engine_attribute(owner: Any, name: str) -> Any:
    """Return an attribute of the engine.

    Raises
    ------
    EngineChangedError
        The engine has no such attribute.
    """
    try:
        return getattr(owner, name)
    except AttributeError:
        place = getattr(owner, "__name__", repr(owner))
        raise EngineChangedError(
            f"The engine has no {place}.{name}: install the pinned MiniStack or adapt the extension that uses it."
        ) from None


def replace(owner: Any, name: str, build: Callable[[Any], Any]) -> None:
    """Replace an attribute of the engine by what `build` makes of the original.

    Raises
    ------
    EngineChangedError
        The engine has no such attribute.
    """
    setattr(owner, name, build(engine_attribute(owner, name)))

"""A module that only the layer holds."""


def label(text: str) -> str:
    """Return the text as a label."""
    return f"<{text}>"

"""What can go wrong with the search node, told in one sentence that says what to do.

SearchNodeError                the node cannot run
└── SearchUnavailableError     there is no way to get one on this machine
"""

from __future__ import annotations

__all__ = ["SearchNodeError", "SearchUnavailableError"]


class SearchNodeError(Exception):
    """The search node cannot run; the message is one sentence that says what to do."""


class SearchUnavailableError(SearchNodeError):
    """There is no way to get a search node here; the message says what each way lacks, and how to have one."""

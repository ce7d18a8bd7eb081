"""What can go wrong around the local engine, told in one sentence that says what to do.

LocalError
├── EnvironmentMissingError   an environment of `.venvs` is not there
├── DiskFullError             no room for the build, the engine's data or a log
├── ToolFailedError           `sam build` or `sam deploy` ended with an error
├── SubmissionError           the API did not accept an order
├── TokenError                the user pool gave no access token
└── SearchIndexError          the search node did not answer
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "DiskFullError",
    "EnvironmentMissingError",
    "LocalError",
    "SearchIndexError",
    "SubmissionError",
    "TokenError",
    "ToolFailedError",
]


class LocalError(Exception):
    """The local deployment cannot go on; the message is one sentence that says what to do."""


class EnvironmentMissingError(LocalError):
    """An environment below `.venvs` is missing.

    Parameters
    ----------
    environment
        Its directory, relative to the project.
    """

    def __init__(self, environment: Path) -> None:
        super().__init__(f"The environment {environment} is missing: run make local, which builds it.")


class DiskFullError(LocalError):
    """There is no room left on a disk.

    Parameters
    ----------
    place
        A path on that disk.
    """

    def __init__(self, place: Path | str) -> None:
        super().__init__(f"There is no room left on the disk that holds {place}: free some space and run it again.")


class ToolFailedError(LocalError):
    """A command-line tool ended with an error.

    Parameters
    ----------
    sentence
        What failed, as the start of a sentence.
    log_file
        Where the tool's whole output is.
    last_lines
        The end of that output.
    """

    def __init__(self, sentence: str, log_file: Path, last_lines: str) -> None:
        super().__init__(f"{sentence}: mend what its last lines name, and run it again; all of them are in {log_file}.")
        self.log_file = log_file
        self.last_lines = last_lines


class SubmissionError(LocalError):
    """The API did not accept an order."""


class TokenError(LocalError):
    """The user pool gave no access token.

    Parameters
    ----------
    what
        What came instead.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"The user pool gave no access token ({what}): run it again.")


class SearchIndexError(LocalError):
    """The search node did not answer as it should.

    Parameters
    ----------
    what
        What it was asked, and what came instead of the answer.
    status
        The status it answered with, if it answered at all.
    """

    def __init__(self, what: str, status: int | None = None) -> None:
        super().__init__(f"The search node does not serve its index ({what}): run it again.")
        self.status = status

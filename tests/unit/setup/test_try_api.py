"""What schemathesis is told of an API that nobody calls without a token."""

import yaml

from setup.try_api import DESCRIPTION, for_callers_only


def test_where_nobody_calls_without_a_token_no_operation_is_said_to_be_open() -> None:
    """Each asks for what it asks for, and for nothing else; the rest of the description stays as it is."""
    text = DESCRIPTION.read_text(encoding="utf-8")
    open_to_all, closed = yaml.safe_load(text), yaml.safe_load(for_callers_only(text))
    asked = [operation["security"] for methods in closed["paths"].values() for operation in methods.values()]
    assert [list(one) for security in asked for one in security] == [["oauth2"]] * len(asked)
    for document in (open_to_all, closed):
        for methods in document["paths"].values():
            for operation in methods.values():
                del operation["security"]
    assert closed == open_to_all

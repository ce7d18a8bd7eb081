"""Amazon Web Services as moto simulates them, for tests of adapters and functions."""

from collections.abc import Iterator

import botocore.loaders
import botocore.session
import pytest
from eventfork import settings
from moto import mock_aws

from tests.unit.aws import ACCOUNT, REGION, Aws

# A client costs what reading its service's model costs: once is enough for all tests.
MODELS = botocore.loaders.create_loader()


def session_with_models() -> botocore.session.Session:
    """Give a session of its own that reads no model twice."""
    session = botocore.session.Session()
    session.register_component("data_loader", MODELS)
    return session


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Give an empty account, and clients that were made in it."""
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "simulated")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(botocore.session, "get_session", session_with_models)
    with mock_aws():
        settings.client.cache_clear()
        settings.session.cache_clear()
        yield Aws()
        settings.client.cache_clear()
        settings.session.cache_clear()

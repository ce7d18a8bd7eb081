"""Amazon Web Services as moto simulates them, for tests of adapters and functions."""

from collections.abc import Iterator

import pytest
from eventfork import settings
from moto import mock_aws

from tests.unit.aws import ACCOUNT, REGION, Aws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Give an empty account, and clients that were made in it."""
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "simulated")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        settings.client.cache_clear()
        yield Aws()
        settings.client.cache_clear()

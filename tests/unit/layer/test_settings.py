"""Settings and clients are read when first asked for, and a missing one is named."""

import logging
from collections.abc import Iterator

import pytest
from eventfork import settings
from eventfork.settings import SettingsError


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give what Lambda gives every function, and forget the clients made with it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-central-1")
    settings.client.cache_clear()
    settings.session.cache_clear()
    yield
    settings.client.cache_clear()
    settings.session.cache_clear()


def test_a_setting_is_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the template set it."""
    monkeypatch.setenv("TABLE_NAME", "orders")
    assert settings.setting("TABLE_NAME") == "orders"


def test_a_setting_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty counts as missing: a template's empty parameter must not become a table's name."""
    monkeypatch.delenv("TABLE_NAME", raising=False)
    with pytest.raises(SettingsError, match="TABLE_NAME"):
        settings.setting("TABLE_NAME")
    monkeypatch.setenv("TABLE_NAME", "")
    with pytest.raises(SettingsError, match="TABLE_NAME"):
        settings.setting("TABLE_NAME")


def test_a_setting_that_has_a_default_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset or empty, the default stands for it, which may itself be empty."""
    monkeypatch.setenv("PATTERNS", "")
    assert settings.setting("PATTERNS", "") == ""
    assert settings.setting("PATTERNS", "iban") == "iban"
    monkeypatch.setenv("PATTERNS", "loginname")
    assert settings.setting("PATTERNS", "iban") == "loginname"


def test_there_is_one_client_for_a_service() -> None:
    """It is made once, and gives up before its function does."""
    client = settings.client("sqs")
    assert settings.client("sqs") is client
    assert client.meta.config.connect_timeout + client.meta.config.read_timeout <= 12


def test_a_quick_client_gives_up_within_seconds() -> None:
    """Two attempts, of two seconds at the most, however often the template has others try."""
    config = settings.quick_client("dynamodb").meta.config
    assert config.connect_timeout + config.read_timeout <= 2
    assert config.retries == {"mode": "standard", "total_max_attempts": 2}


def test_the_client_logs_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """At DEBUG, botocore logs whole bodies and urllib3 addresses: that stays closed even where everything is logged."""
    for library in ("botocore", "urllib3"):
        monkeypatch.setattr(logging.getLogger(library), "level", logging.NOTSET)
    settings.client("sqs")
    for logger in ("botocore.endpoint", "urllib3.connectionpool"):
        assert not logging.getLogger(logger).isEnabledFor(logging.DEBUG)
        assert logging.getLogger(logger).isEnabledFor(logging.WARNING)

"""What the manager of circuits is made of: the settings of its template, and the adapters."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from eventfork import circuit_records
from eventfork.adapters.circuit_table import CircuitTable
from eventfork.adapters.event_bus import EventBus
from eventfork.adapters.health import HealthEndpoint
from eventfork.adapters.metrics import CallMetrics
from eventfork.adapters.parameters import CircuitParameters, TextParameters
from eventfork.adapters.sns import Topic
from eventfork.adapters.sqs import Queue
from eventfork.checkout_events import Attribute
from eventfork.circuit_manager import CircuitManager, Log
from eventfork.circuits import Circuit, Rules
from eventfork.json_text import parse, render
from eventfork.settings import client, setting

__all__ = ["manager"]

_NAMESPACE: Final = "eventfork"
"""What callers count their calls under."""
_HEALTH_PATH: Final = "/health"


def manager(measured: Callable[[str, Mapping[str, int]], object], log: Log) -> CircuitManager:
    """Give the manager of the circuits that the template names."""
    watched = parse(setting("CIRCUITS"))
    return CircuitManager(
        CircuitTable(client("dynamodb"), setting("TABLE_NAME")),
        tuple(watched),
        _rules(),
        rate_window=timedelta(seconds=int(setting("RATE_WINDOW_SECONDS"))),
        complaint=_complaints(watched),
        sums=CallMetrics(client("cloudwatch"), _NAMESPACE).sums,
        states=CircuitParameters(client("ssm"), setting("PARAMETER_PREFIX")),
        put=EventBus(client("events"), setting("EVENT_BUS_NAME")).put,
        ask=_ask,
        notify=_notifier(),
        measured=measured,
        read=_read,
        log=log,
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
    )


def _rules() -> Rules:
    return Rules(
        probes_needed=int(setting("PROBES_NEEDED")),
        probes_looked_at=int(setting("PROBES_LOOKED_AT")),
        probe_seconds=int(setting("PROBE_SECONDS")),
        recovery_check_seconds=int(setting("RECOVERY_CHECK_SECONDS")),
        hold_seconds=int(setting("HOLD_SECONDS")),
        grace_seconds=int(setting("GRACE_SECONDS")),
        failure_share=Decimal(setting("FAILURE_SHARE")) / 100,
        slow_share=Decimal(setting("SLOW_SHARE")) / 100,
        minimum_volume=int(setting("MINIMUM_VOLUME")),
    )


def _complaints(watched: Mapping[str, Mapping[str, str]]) -> Callable[[str], str | None]:
    addresses, endpoint = TextParameters(client("ssm")), HealthEndpoint()

    def complaint(circuit: str) -> str | None:
        said = watched[circuit]
        address = addresses.value(said["healthEndpointParameter"]).rstrip("/")
        return endpoint.complaint(f"{address}{said.get('healthPath', _HEALTH_PATH)}")

    return complaint


def _ask(circuit: str, delay_seconds: int) -> None:
    Queue(client("sqs"), setting("PROBE_QUEUE_URL")).send_later(render({"circuit": circuit}), delay_seconds)


def _notifier() -> Callable[[str, str, str], object]:
    arn = setting("NOTICE_TOPIC_ARN", "")
    if not arn:
        return lambda *_: None
    topic = Topic(client("sns"), arn)
    return lambda circuit, event_type, text: topic.publish(
        text, {"circuit": Attribute("String", circuit), "type": Attribute("String", event_type)}
    )


def _read(row: Mapping[str, Any]) -> Circuit | None:
    return circuit_records.circuit(row) if row["Item"] == circuit_records.STATE else None

"""Setting an index up in a search domain: all that has to be there before the first document comes.

SetUpError   it cannot be set up; the text says what to do
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Protocol

from eventfork.errors import DeniedError, NotFoundError, ServiceError, UnavailableError
from eventfork.search_index import ROTATIONS, Index, dashboards, index_template, ingest_pipeline

__all__ = ["PATIENCE_WHEN_DENIED", "Domain", "SetUpError", "physical_id", "set_up"]

PATIENCE_WHEN_DENIED: Final = 120
"""Seconds. A role that was made just now is let in by everything in AWS only after a while."""
_PAUSE: Final = 5
_AUDIT: Final = {
    "enabled": True,
    # Who did what, and who was refused: every document delivered would drown it, and a body is a payload.
    "audit": {
        "enable_rest": True,
        "disabled_rest_categories": ["AUTHENTICATED"],
        "enable_transport": True,
        "disabled_transport_categories": ["AUTHENTICATED", "GRANTED_PRIVILEGES"],
        "resolve_bulk_requests": False,
        "log_request_body": False,
        "resolve_indices": True,
        "exclude_sensitive_headers": True,
    },
}
"""What is audited in a domain of our own. OpenSearch documentation, "Audit log settings"."""
_LAST_CALL: Final = 60
"""Seconds that must be left for another try: one request, and the answer to who asked."""


class SetUpError(Exception):
    """The index cannot be set up; the text says what to do."""


class Domain(Protocol):
    """What is set up: `eventfork.adapters.opensearch.SearchDomain`."""

    def put_pipeline(self, name: str, definition: Mapping[str, Any]) -> None:
        """Put an ingest pipeline."""

    def put_index_template(self, name: str, definition: Mapping[str, Any]) -> None:
        """Put an index template."""

    def put_role(self, name: str, definition: Mapping[str, Any], iam_role_arn: str) -> None:
        """Put a role, and give it to an IAM role; raises `NotFoundError` where there are none."""

    def put_audit_configuration(self, configuration: Mapping[str, Any]) -> None:
        """Say what is audited; raises `NotFoundError` where nothing can be."""

    def import_saved_objects(self, lines: bytes) -> None:
        """Put saved objects; raises `NotFoundError` where there are no Dashboards."""


def physical_id(properties: Mapping[str, str]) -> str:
    """Give the name of what is set up, the same each time it is set up again."""
    return f"search-index-{properties.get('IndexName', '')}"


def set_up(
    properties: Mapping[str, str],
    domain: Domain,
    seconds_left: Callable[[], float],
    sleep: Callable[[float], object],
) -> dict[str, str]:
    """Put everything in place, or in place again; say which parts the domain has at all.

    A domain that is away, as a new one is at first, is tried again while there is time.

    Parameters
    ----------
    properties : mapping
        Of the custom resource: `Endpoint`, `IndexName`, `IndexRotation`, `ShardCount`, `ReplicaCount`,
        `DeliveryRoleArn`, `OperatorRoleArn` (empty: nobody) and `Audited` ("true": in a domain of our own).
    domain : Domain
        Where to.
    seconds_left : callable
        Gives the seconds in which this must be done.
    sleep : callable
        Waits so many seconds.

    Returns
    -------
    dict
        `Security`: mapped or absent; `Dashboards`: imported or absent.

    Raises
    ------
    SetUpError
        If it could not be done.
    """
    index = _index(properties)
    patience = _Patience(seconds_left, sleep)
    try:
        # The pipeline first: the template makes every new index depend on it.
        patience.take(partial(domain.put_pipeline, index.pipeline, ingest_pipeline(index)))
        patience.take(partial(domain.put_index_template, index.name, index_template(index)))
        mapped = [
            patience.take_if_there(
                partial(domain.put_role, f"eventfork-search-{index.name}-{name}", role, iam_role_arn)
            )
            for name, role, iam_role_arn in _roles(index, properties)
        ]
        if properties["Audited"] == "true":
            patience.take_if_there(partial(domain.put_audit_configuration, _AUDIT))
        imported = patience.take_if_there(partial(domain.import_saved_objects, dashboards(index)))
    except ServiceError as error:
        raise SetUpError(f"{_advice(error, properties)} ({error})") from error
    return {
        "Security": "mapped" if all(mapped) else "absent",
        "Dashboards": "imported" if imported else "absent",
    }


class _Patience:
    def __init__(self, seconds_left: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self._seconds_left = seconds_left
        self._sleep = sleep
        self._denied_until = seconds_left() - PATIENCE_WHEN_DENIED

    def take(self, step: Callable[[], None]) -> None:
        while True:
            try:
                step()
            except (DeniedError, UnavailableError) as error:
                enough = max(_LAST_CALL, self._denied_until) if isinstance(error, DeniedError) else _LAST_CALL
                if self._seconds_left() < enough:
                    raise
            else:
                return
            self._sleep(_PAUSE)

    def take_if_there(self, step: Callable[[], None]) -> bool:
        try:
            self.take(step)
        except NotFoundError:
            return False
        return True


def _index(properties: Mapping[str, str]) -> Index:
    if properties["IndexRotation"] not in ROTATIONS:
        raise SetUpError(f"IndexRotation must be one of {', '.join(ROTATIONS)}.")
    return Index(
        name=properties["IndexName"],
        rotation=properties["IndexRotation"],
        shards=int(properties["ShardCount"]),
        replicas=int(properties["ReplicaCount"]),
    )


def _roles(index: Index, properties: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Give the roles: the end of their name, what they allow, and which IAM role gets them."""
    delivery = {
        "description": f"Firehose delivers into {index.name}.",
        # What Firehose looks at before it delivers: Firehose developer guide, "Grant Firehose access to an OpenSearch
        # Service destination".
        "cluster_permissions": ["cluster_composite_ops", "cluster_monitor"],
        "index_permissions": [
            {
                "index_patterns": index.patterns,
                "allowed_actions": ["create_index", "write", "indices_monitor", "indices:admin/mappings/get"],
            }
        ],
    }
    operator = {
        "description": f"The operator's command reads {index.name}.",
        "cluster_permissions": [],
        "index_permissions": [{"index_patterns": index.patterns, "allowed_actions": ["read"]}],
    }
    yield "delivery", delivery, properties["DeliveryRoleArn"]
    if properties["OperatorRoleArn"]:
        yield "operator", operator, properties["OperatorRoleArn"]


def _advice(error: ServiceError, properties: Mapping[str, str]) -> str:
    match error:
        case DeniedError():
            return (
                f"The domain at {properties['Endpoint']} does not let SearchSetupFunction in: map its role to "
                "all_access in the domain's security plugin, let the domain's access policy admit it, and deploy again."
            )
        case UnavailableError():
            return (
                f"The domain at {properties['Endpoint']} did not answer in time: see whether it is active, and whether "
                "it can be reached from outside a VPC, and deploy again."
            )
        case _:
            return f"The domain at {properties['Endpoint']} does not take what belongs to {properties['IndexName']}."

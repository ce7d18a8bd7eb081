"""CircuitControlFunction: an operator's commands change the table of circuits, and answer in JSON."""

from collections.abc import Callable

from eventfork.adapters.circuit_table import CircuitTable
from eventfork.circuits import Mode, State

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import table
from tests.unit.functions.conftest import Handler, Load

TEMPLATE = "applications/circuit-breaker/template.yaml"
FORCED = {
    "command": "force-open",
    "circuit": "payments",
    "reason": "maintenance by 4111 1111 1111 1111",
    "actor": "ann",
}


def function(aws: Aws, load: Load) -> tuple[Handler, CircuitTable]:
    name = table(aws, TEMPLATE, "CircuitTable")
    circuits = '{"payments": {"healthEndpointParameter": "/eventfork/provider"}}'
    return load("circuit_control", TABLE_NAME=name, CIRCUITS=circuits), CircuitTable(aws.client("dynamodb"), name)


def test_a_circuit_is_forced_and_shown(aws: Aws, load: Load) -> None:
    """What is answered is what is in the table."""
    handler, table = function(aws, load)
    answer = handler(FORCED)
    assert (table.load("payments").state, table.load("payments").mode) == (State.OPEN, Mode.FORCED_OPEN)
    assert answer == handler({"command": "show", "circuit": "payments"})
    assert handler({"command": "list"}) == {"circuits": [answer["circuit"]]}


def test_the_history_of_a_circuit_is_empty_at_first(aws: Aws, load: Load) -> None:
    """The manager puts transitions on record."""
    handler, _ = function(aws, load)
    assert handler({"command": "history", "circuit": "payments"}) == {"transitions": []}


def test_a_command_that_is_wrong_is_answered_with_a_problem(aws: Aws, load: Load) -> None:
    """Which names the field."""
    handler, _ = function(aws, load)
    answer = handler({"command": "reset", "circuit": "payments"})
    assert (answer["status"], answer["errors"][0]["pointer"]) == (400, "/reason")
    assert handler({})["status"] == 400


def test_a_table_that_does_not_answer_is_a_problem(aws: Aws, load: Load) -> None:
    """Not an error of the function: whoever asked learns what to do."""
    handler, _ = function(aws, load)
    with unreachable(aws.client("dynamodb")):
        assert handler({"command": "list"})["status"] == 503


def test_the_log_names_the_command_and_the_status(aws: Aws, load: Load, logs: Callable[[], str]) -> None:
    """Never what was said: anybody can write anything there."""
    handler, _ = function(aws, load)
    handler(FORCED)
    handler({"command": "a" * 1000})
    log = logs()
    assert '"command":"force-open","status":200' in log
    assert '"status":400' in log
    assert "4111" not in log
    assert "a" * 21 not in log

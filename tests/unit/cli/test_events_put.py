"""`eventfork events put`: anything gets on the bus, all checked before, and only what was refused is put again."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.unit.cli.conftest import Operator

SHOP = ("events", "put", "--source", "shop", "--type", "parcelSent")
NOT_TAKEN = "not taken: check that you may put events there (events:PutEvents)."


def details(operator: Operator) -> list[Any]:
    """Give the details that are on the bus."""
    return [json.loads(detail, parse_float=str) for _, _, detail in operator.bus.put]


def test_a_detail_gets_an_envelope(operator: Operator) -> None:
    """With an id by which it is known again, at the head of its chain; every digit stays."""
    result = operator.run(*SHOP, "--detail", '{"parcel": 1.10, "to": "Zoë"}', "--id", "event-1")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "1 event is on the bus commerce.\n", "")
    [(source, detail_type, detail)] = operator.bus.put
    assert (source, detail_type) == ("shop", "parcelSent")
    assert detail == (
        '{"metadata":{"id":"event-1","correlationId":"event-1","causationId":"event-1","schemaVersion":1,"hops":0},'
        '"data":{"parcel":1.10,"to":"Zoë"}}'
    )


def test_an_id_that_is_not_said_is_fresh(operator: Operator) -> None:
    """For each event."""
    operator.run(*SHOP, given='{"parcel": 1}\n{"parcel": 1}\n')
    ids = {UUID(one["metadata"]["id"]) for one in details(operator)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        (["--flat"], {"parcel": 1}),
        ([], {"metadata": {"id": "theirs"}, "data": {}}),
        (["--flat"], {"metadata": {"id": "theirs"}}),
    ],
)
def test_a_detail_can_stay_as_it_is(operator: Operator, arguments: list[str], detail: Any) -> None:
    """Because that is asked for, or because it has metadata already."""
    assert operator.run(*SHOP, "--detail", json.dumps(detail), *arguments).exit_code == 0
    assert details(operator) == [detail]


@pytest.mark.parametrize("way", ["file", "standard input", "standard input by name"])
def test_events_come_as_json_lines(operator: Operator, tmp_path: Path, way: str) -> None:
    """Details, and entries that say themselves what they are; empty lines are none."""
    entry = {"source": "depot", "detailType": "parcelLost", "detail": {"parcel": 2}}
    text = f'{{"parcel": 1}}\r\n\n{json.dumps(entry)}\n{{"source": 3, "detailType": 4}}'
    file = tmp_path / "events.jsonl"
    file.write_text(text, encoding="utf-8")
    options = {"file": ["--file", str(file)], "standard input": [], "standard input by name": ["--file", "-"]}[way]
    result = operator.run(*SHOP, *options, given="" if way == "file" else text)
    assert result.stdout == "3 events are on the bus commerce.\n"
    assert [(source, detail_type) for source, detail_type, _ in operator.bus.put] == [
        ("shop", "parcelSent"),
        ("depot", "parcelLost"),
        ("shop", "parcelSent"),
    ]
    assert [one["data"] for one in details(operator)] == [
        {"parcel": 1},
        {"parcel": 2},
        {"source": 3, "detailType": 4},
    ]


def test_whole_entries_need_no_options(operator: Operator) -> None:
    """They say all that there is to say."""
    entry = {"source": "depot", "detailType": "parcelLost", "detail": {"parcel": 2}}
    assert operator.run("events", "put", "--detail", json.dumps(entry), "--flat").exit_code == 0
    assert operator.bus.put == [("depot", "parcelLost", '{"parcel":2}')]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "Line 3: the document: Expecting property name"),
        ('{"a": 1, "a": 2}', "Line 3: /a: stands more than once in one object."),
        ("[]", "Line 3 is no JSON object."),
        ('{"source": "s", "detailType": "", "detail": {}}', "Line 3 needs texts as source and detailType, and an obj"),
        ('{"source": "s", "detailType": "t", "detail": 1}', "Line 3 needs texts as source and detailType, and an obj"),
        (json.dumps({"text": "x" * 262_144}), "Line 3 weighs 262,3"),
    ],
)
def test_one_wrong_line_keeps_everything_off_the_bus(operator: Operator, line: str, told: str) -> None:
    """It is named by its number, empty lines counted."""
    result = operator.run(*SHOP, given=f'{{"parcel": 1}}\n\n{line}\n')
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {told}")
    assert operator.bus.calls == 0


def test_text_that_is_not_utf_8_is_wrong(operator: Operator) -> None:
    """Nothing is guessed."""
    result = operator.run(*SHOP, given=b'{"to": "Zo\xeb"}\n')
    assert result.stderr == "Error: Line 1: the document: is not encoded in UTF-8.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--detail", "{}"],
            "--detail is a detail only: say --source and --type, or give source, detailType and detail.",
        ),
        (["--detail", "{}", "--source", "shop"], "--detail is a detail only"),
        (["--detail", "{]", "--source", "s", "--type", "t"], "--detail: the document: "),
        (["--detail", "{}", "--file", "-"], "An event comes by --detail or by --file, not by both."),
        (
            ["--detail", "{}", "--source", "s", "--type", "t", "--flat", "--id", "x"],
            "no envelope that --id could stand",
        ),
        (["--file", "not-there.jsonl"], "'not-there.jsonl'"),
    ],
)
def test_wrong_use_is_refused(operator: Operator, arguments: list[str], told: str) -> None:
    """Before anything is put."""
    result = operator.run("events", "put", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert operator.bus.calls == 0


def test_an_id_names_one_event(operator: Operator) -> None:
    """Two with the same would be one to their consumers."""
    result = operator.run(*SHOP, "--id", "x", given='{"parcel": 1}\n{"parcel": 2}\n')
    assert (result.exit_code, result.stderr) == (2, "Error: Line 2 is a second event; --id names one.\n")


def test_a_terminal_is_not_waited_for(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives nothing is told what to give."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    result = operator.run(*SHOP)
    assert result.exit_code == 2
    assert "There is nothing to put: give --detail, --file, or JSON Lines on the standard input." in result.stderr


def test_nothing_is_no_error(operator: Operator) -> None:
    """A script may have found nothing."""
    result = operator.run(*SHOP, given="\n")
    assert (result.exit_code, result.stdout) == (0, "0 events are on the bus commerce.\n")
    assert operator.bus.calls == 0


def test_only_what_was_refused_is_put_again(operator: Operator) -> None:
    """After a pause, and each once."""
    operator.bus.refusals = [2, 0, 1]
    result = operator.run(*SHOP, given="".join(f'{{"parcel": {number}}}\n' for number in range(12)))
    assert result.stdout == "12 events are on the bus commerce.\n"
    assert sorted(one["data"]["parcel"] for one in details(operator)) == list(range(12))
    assert operator.bus.calls == 4
    assert operator.clock.slept == [0.2, 0.2]


def test_what_is_never_taken_is_told(operator: Operator) -> None:
    """By its number; the exit status says that something is left."""
    operator.bus.refusals = [1, 1, 1]
    result = operator.run(*SHOP, given='{"parcel": 1}\n{"parcel": 2}\n')
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["1 event is on the bus commerce.", f"1 event was {NOT_TAKEN}"]


def test_a_bus_that_takes_nothing_is_told_with_its_reason(operator: Operator) -> None:
    """What follows a call that failed is not tried."""
    operator.bus.refusals = [None]
    text = '{"parcel": 1}\n' * 11
    result = operator.run(*SHOP, given=text)
    assert result.exit_code == 1
    assert "0 events are on the bus commerce." in result.stdout
    assert "11 events were not taken (An error occurred (AccessDeniedException)" in result.stdout
    operator.bus.refusals = [None]
    told = json.loads(operator.run(*SHOP, "--json", given=text).stdout)
    assert "AccessDeniedException" in told.pop("reason")
    assert told == {"bus": "commerce", "events": 11, "put": 0, "refused": 11}


def test_scripts_get_one_document(operator: Operator) -> None:
    """With the same keys whatever happened."""
    result = operator.run(*SHOP, "--detail", "{}", "--json")
    assert json.loads(result.stdout) == {"bus": "commerce", "events": 1, "put": 1, "refused": 0, "reason": None}

"""`eventfork replay`: what replay control is asked, and how its answers are shown, or why there are none."""

import json
import shlex
from typing import Any

import botocore.session
import click
import pytest
from botocore.exceptions import EndpointConnectionError
from eventfork_cli.__main__ import command
from eventfork_cli.replay_request import Wanted

from tests.unit.aws import REGION
from tests.unit.cli.conftest import Operator
from tests.unit.cli.replays import JOB_ID, WINDOW, answer, job, plan, problem

ACTOR = "arn:aws:sts::123456789012:user/moto"
ARCHIVE = ("--source", "archive", "--target", "customers")
PLANNED: dict[str, Any] = {
    "command": "plan",
    "source": "archive",
    "from": None,
    "to": None,
    "targets": ["customers"],
    "pace": None,
    "canary": 0,
    "filter": {},
    "archive": None,
    "force": False,
    "reason": "",
    "actor": ACTOR,
    "dryRun": True,
}


def asked(operator: Operator, *arguments: str) -> Any:
    """Run a command that is answered; give what replay control was asked."""
    result = operator.run("replay", *arguments)
    assert result.exit_code == 0, result.stderr
    return operator.control.asked[-1]


def rows(text: str) -> list[str]:
    """Give lines, with one space between words."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_plan_says_only_what_was_said(operator: Operator) -> None:
    """The rest is left to replay control; by default nothing is kept."""
    operator.control.answers = [{"plan": plan()}]
    assert asked(operator, "plan", *ARCHIVE) == PLANNED


def test_everything_that_can_be_said_is_passed_on(operator: Operator) -> None:
    """With every digit of the pace, and repeated options as lists."""
    operator.control.answers = [{"plan": plan()}]
    said = asked(
        operator,
        *("plan", *ARCHIVE, "--target", "arn:aws:events:x:1:rule/y", "--from", "2026-11-26T11:00:00+01:00"),
        *("--to", "2026-11-26T12:00:00.5Z", "--type", "A", "--type", "B", "--customer", "9027", "--order", "1"),
        *("--order", "2", "--where", "detail.data.amount > `100`", "--pace", "0.10", "--canary", "3"),
        *("--archive", "chosen", "--reason", "why not", "--force", "--id", "mine_1"),
    )
    assert {**said, "pace": str(said["pace"])} == {
        **PLANNED,
        "targets": ["customers", "arn:aws:events:x:1:rule/y"],
        "from": "2026-11-26T10:00:00.000000Z",
        "to": "2026-11-26T12:00:00.500000Z",
        "filter": {
            "types": ["A", "B"],
            "customers": ["9027"],
            "orders": ["1", "2"],
            "expression": "detail.data.amount > `100`",
        },
        "pace": "0.10",
        "canary": 3,
        "archive": "chosen",
        "reason": "why not",
        "force": True,
        "jobId": "mine_1",
    }


@pytest.mark.parametrize(
    ("arguments", "start", "end"),
    [
        (["--last", "2h"], "2026-11-26T10:00:00.000000Z", None),
        (["--from", "90m"], "2026-11-26T10:30:00.000000Z", None),
        (["--from", "3d", "--to", "30s"], "2026-11-23T12:00:00.000000Z", "2026-11-26T11:59:30.000000Z"),
        (
            ["--from", "1W", "--to", "2026-11-20T00:00:00Z"],
            "2026-11-19T12:00:00.000000Z",
            "2026-11-20T00:00:00.000000Z",
        ),
    ],
)
def test_a_window_can_be_said_in_times_ago(
    operator: Operator, arguments: list[str], start: str, end: str | None
) -> None:
    """One that goes on until now leaves the end to replay control, whose clock may be another."""
    operator.control.answers = [{"plan": plan()}]
    said = asked(operator, "plan", *ARCHIVE, *arguments)
    assert (said["from"], said["to"]) == (start, end)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--from", "2026-11-26T09:30:00"], "does not say in which time zone: add Z for UTC"),
        (["--from", "2026-11-26"], "does not say in which time zone"),
        (["--to", "yesterday"], "is no moment: write it as 2026-11-26T09:30:00Z, or as how long ago"),
        (["--to", "0001-01-01T00:00:00+01:00"], "is no moment"),
        (["--last", "2 hours"], "is no length of time: write it as 90m, 2h or 3d"),
        (["--last", "0h"], "is no length of time"),
        (["--last", "999999w"], "is no length of time"),
        (["--last", "2h", "--to", "1h"], "--last is a window by itself"),
        (["--pace", "0"], "is no number above 0"),
        (["--pace", "NaN"], "is no number above 0"),
        (["--pace", "fast"], "is no number above 0"),
        (["--keep"], "A plan that is kept needs its reason: say it with --reason."),
        (["--source", "tape"], "'tape' is not one of 'archive', 'queue', 'backup', 'dlq'"),
    ],
)
def test_wrong_use_is_told_before_anything_is_asked(operator: Operator, arguments: list[str], told: str) -> None:
    """In one sentence, with what to write instead."""
    result = operator.run("replay", "plan", *ARCHIVE, *arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert operator.control.asked == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "--target", "checkout"],
        ["start", "--reason", "x"],
        ["start", *ARCHIVE],
        ["start", JOB_ID, "--last", "2h", "--reason", "x"],
        ["start", JOB_ID, "--force", "--reason", "x"],
        ["pause", JOB_ID],
        ["show"],
        ["list", "--limit", "101"],
    ],
)
def test_what_makes_no_command_is_wrong_use(operator: Operator, arguments: list[str]) -> None:
    """No source, no reason, no job, or a job and what another one would be."""
    assert operator.run("replay", *arguments).exit_code == 2
    assert operator.control.asked == []


def test_a_plan_is_shown_with_the_command_that_starts_it(operator: Operator) -> None:
    """Over the window that was planned, so that it is that and nothing else that is started."""
    operator.control.answers = [{"plan": plan(filter={"types": ["A", "B"], "orders": ["1"], "expression": "x"})}]
    result = operator.run(
        *("replay", "plan", *ARCHIVE, "--last", "2h", "--pace", "50", "--canary", "5", "--region", REGION),
        *("--type", "A", "--type", "B", "--order", "1", "--where", "x", "--reason", "bug fixed", "--force"),
    )
    start = (
        f"eventfork replay start --source archive --target customers --from {WINDOW['from']} --to {WINDOW['to']} "
        "--type A --type B --order 1 --where x --pace 50 --canary 5 --force --reason 'bug fixed' --region eu-central-1"
    )
    assert rows(result.stdout) == [
        "source archive everything",
        "window 2026-11-26T10:00:00Z to 2026-11-26T12:00:00Z",
        "targets customers",
        "only types A, B; order 1; where x",
        "pace 50 events per second",
        "canary 5 first",
        "events about 1,234",
        "takes 25 s",
        "costs 0.0123 USD, without what consumers do",
        "starts 2026-11-26T12:10:00Z at the earliest",
        "Note: The last 10 minutes are not in the history yet.",
        "Start it:",
        start,
    ]


def test_the_command_that_starts_it_says_the_same(operator: Operator) -> None:
    """Read again, it is the plan's command, with a window that no longer moves, in the same stack."""
    operator.outputs["try out"] = operator.outputs.pop("eventfork")
    operator.control.answers = [{"plan": plan()}]
    result = operator.run(
        *("replay", "plan", *ARCHIVE, "--from", "2h", "--type", "it's", "--customer", "9", "--archive", "chosen"),
        *("--pace", "1.50", "--id", "mine", "--stack-name", "try out", "--reason", "a b"),
    )
    _, _, *words = shlex.split(result.stdout.splitlines()[-1])
    operator.control.answers = [answer("WAITING")]
    started = asked(operator, *words)
    planned = operator.control.asked[0]
    del planned["dryRun"]
    assert started == {**planned, "command": "start", "from": WINDOW["from"], "to": WINDOW["to"]}


def test_a_reason_that_was_not_said_has_its_place(operator: Operator) -> None:
    """A start needs one."""
    operator.control.answers = [{"plan": plan()}]
    assert operator.run("replay", "plan", *ARCHIVE).stdout.endswith(" --reason WHY\n")


def test_a_kept_plan_names_its_job(operator: Operator) -> None:
    """And the command that starts it."""
    operator.control.answers = [{"plan": plan(exact=True, pace=None, seconds=None, canary=0), **answer("PLANNED")}]
    result = operator.run("replay", "plan", *ARCHIVE, "--last", "2h", "--keep", "--reason", "a b")
    assert operator.control.asked[0]["dryRun"] is False
    shown = rows(result.stdout)
    assert "pace as fast as it goes" in shown
    assert "takes not known, as the pace is not limited" in shown
    assert "events 1,234" in shown
    assert shown[-3:] == [
        f"The plan is kept as {JOB_ID}.",
        "Start it:",
        f"eventfork replay start {JOB_ID} --reason 'a b'",
    ]


def test_a_kept_plan_is_started_by_its_id(operator: Operator) -> None:
    """With who and why, and nothing else."""
    operator.control.answers = [answer("WAITING", startedAt=None)]
    result = operator.run("replay", "start", JOB_ID, "--reason", "checked")
    assert operator.control.asked == [{"command": "start", "jobId": JOB_ID, "reason": "checked", "actor": ACTOR}]
    assert rows(result.stdout) == [
        f"The replay {JOB_ID} is WAITING: 0 sent of 1,200 planned, starts 2026-11-26T12:10:00Z at the earliest",
        f"Watch it: eventfork replay watch {JOB_ID}",
    ]


def test_planned_and_started_in_one_it_has_an_id_of_its_own(operator: Operator) -> None:
    """Made by who asks: a request that is sent again because its answer was lost is one replay."""
    operator.control.answers = [{**answer("WAITING"), "plan": plan()}]
    result = operator.run("replay", "start", *ARCHIVE, "--last", "2h", "--reason", "x")
    assert "targets customers" in rows(result.stdout)
    operator.run("replay", "start", *ARCHIVE, "--last", "2h", "--reason", "x")
    ids = [one["jobId"] for one in operator.control.asked]
    assert all(one.startswith("replay-20261126T120000-") and len(one) <= 40 for one in ids)
    assert len(set(ids)) == 2
    assert "dryRun" not in operator.control.asked[0]


def test_a_start_can_be_watched_to_its_end(operator: Operator) -> None:
    """With the exit status of the watch."""
    operator.control.answers = [answer("WAITING"), answer(sent=600), answer("FAILED", sent=700, outcome="it broke")]
    result = operator.run("replay", "start", JOB_ID, "--reason", "x", "--watch")
    assert result.exit_code == 1
    assert [one["command"] for one in operator.control.asked] == ["start", "show", "show"]
    assert rows(result.stdout)[:3] == [
        f"The replay {JOB_ID} is WAITING: 0 sent of 1,200 planned",
        "RUNNING: 600 sent of 1,200 planned",
        "FAILED: 700 sent of 1,200 planned",
    ]
    operator.control.asked.clear()
    lines = operator.run("replay", "start", JOB_ID, "--reason", "x", "--watch", "--json").stdout.splitlines()
    assert [json.loads(line)["job"]["state"] for line in lines] == ["WAITING", "RUNNING", "FAILED"]


@pytest.mark.parametrize(
    ("name", "state", "next_step"),
    [
        ("pause", "PAUSED", f"It is paused. Go on: eventfork replay resume {JOB_ID} --reason WHY"),
        ("resume", "WAITING", f"Watch it: eventfork replay watch {JOB_ID}"),
        (
            "stop",
            "CANCELLED",
            f"What was sent stays sent. Go on where it ended: eventfork replay resume {JOB_ID} --reason WHY",
        ),
    ],
)
def test_a_job_is_moved(operator: Operator, name: str, state: str, next_step: str) -> None:
    """With who and why; it is told how it is then, and what can be done."""
    operator.control.answers = [answer(state, sent=5)]
    result = operator.run("replay", name, JOB_ID, "--reason", "slow consumer")
    assert result.exit_code == 0
    assert operator.control.asked == [{"command": name, "jobId": JOB_ID, "reason": "slow consumer", "actor": ACTOR}]
    shown = rows(result.stdout)
    assert shown[0] == f"The replay {JOB_ID} is {state}: 5 sent of 1,200 planned"
    assert next_step in shown


def test_a_job_is_shown_with_its_history(operator: Operator) -> None:
    """Who did what to it, when and why."""
    operator.control.answers = [
        answer(
            "COMPLETED",
            sent=1190,
            counts={"skipped": 7, "parked": 10},
            forced=True,
            endedAt="2026-11-26T12:20:00.000000Z",
            outcome="all was replayed",
            pace=50,
        )
    ]
    result = operator.run("replay", "show", JOB_ID)
    assert operator.control.asked == [{"command": "show", "jobId": JOB_ID}]
    assert rows(result.stdout) == [
        f"job {JOB_ID}",
        "state COMPLETED",
        "source archive everything",
        "window 2026-11-26T10:00:00Z to 2026-11-26T12:00:00Z",
        "targets customers",
        "pace 50 events per second",
        "events 1,190 sent of 1,200 planned, 7 left out, 10 in quarantine",
        "reason a bug was fixed",
        "actor arn:aws:iam::123456789012:user/ada (forced)",
        "requested 2026-11-26T12:00:00Z",
        "starts 2026-11-26T12:10:00Z at the earliest",
        "started 2026-11-26T12:10:01Z",
        "ended 2026-11-26T12:20:00Z",
        "outcome all was replayed",
        "run 1",
        "",
        "at actor action state reason",
        "2026-11-26T12:00:00Z arn:aws:iam::123456789012:user/ada start WAITING a bug was fixed",
        "2026-11-26T12:10:01Z worker run RUNNING the archive has settled",
        "10 events are in the quarantine of replays (ReplayJobQuarantineQueueUrl), each with its reason.",
    ]


def test_a_job_that_is_only_planned_has_no_history_yet(operator: Operator) -> None:
    """It can be started."""
    operator.control.answers = [answer("PLANNED", history=[], counts={"planned": None}, startedAt=None)]
    shown = rows(operator.run("replay", "show", JOB_ID).stdout)
    assert "events 0 sent" in shown
    assert shown[-2:] == ["run 1", f"Start it: eventfork replay start {JOB_ID} --reason WHY"]


def test_states_have_colours_in_a_terminal(operator: Operator) -> None:
    """Elsewhere they are plain."""
    operator.control.answers = [answer("FAILED")]
    assert "\x1b[1;31mFAILED" in operator.run_in_colour(120, "replay", "show", JOB_ID)
    assert "\x1b[1;31mFAILED\x1b[0m: 0 sent" in operator.run_in_colour(200, "replay", "pause", JOB_ID, "--reason", "x")
    assert "\x1b" not in operator.run("replay", "show", JOB_ID).stdout


def test_nothing_of_a_job_does_anything_to_the_terminal(operator: Operator) -> None:
    """Reasons and filters are whatever somebody wrote."""
    operator.control.answers = [answer("RUNNING\x1b[5m", reason="\x1b]0;harm\x07", filter={"customers": ["\x1b[2J"]})]
    for arguments in (["show", JOB_ID], ["pause", JOB_ID, "--reason", "x"]):
        assert "\x1b" not in operator.run("replay", *arguments).stdout


def test_jobs_are_listed(operator: Operator) -> None:
    """A row for each, or a word that there are none."""
    operator.control.answers = [{"jobs": [job(sent=5), job("PLANNED", counts={"planned": None})]}]
    result = operator.run("replay", "list", "--limit", "2")
    assert operator.control.asked == [{"command": "list", "limit": 2}]
    window = "2026-11-26T10:00:00Z to 2026-11-26T12:00:00Z"
    assert rows(result.stdout) == [
        "job state source targets window sent planned requested reason",
        f"{JOB_ID} RUNNING archive customers {window} 5 1,200 2026-11-26T12:00:00Z a bug was fixed",
        f"{JOB_ID} PLANNED archive customers {window} 0 2026-11-26T12:00:00Z a bug was fixed",
    ]
    operator.control.answers = [{"jobs": []}]
    assert operator.run("replay", "list").stdout == "There are no replays yet.\n"
    assert operator.control.asked[-1]["limit"] == 20


@pytest.mark.parametrize("width", [60, 160])
def test_a_list_fits_its_terminal(operator: Operator, width: int) -> None:
    """A table in a wide one, blocks in a narrow one."""
    operator.control.answers = [{"jobs": [job(sent=5), job("PAUSED")]}]
    shown = operator.run_in_terminal(width, "replay", "list").splitlines()
    assert max(map(len, shown)) <= width
    assert "PAUSED" in "".join(shown)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["plan", *ARCHIVE], {"plan": plan()}),
        (["plan", *ARCHIVE, "--keep", "--reason", "x"], {"plan": plan(), **answer("PLANNED")}),
        (["start", *ARCHIVE, "--reason", "x"], {"plan": plan(), **answer("WAITING")}),
        (["pause", JOB_ID, "--reason", "x"], answer("PAUSED")),
        (["show", JOB_ID], answer()),
        (["list"], {"jobs": [job()]}),
    ],
)
def test_scripts_get_the_answer_as_it_is(operator: Operator, arguments: list[str], told: dict[str, Any]) -> None:
    """One document, with every digit."""
    operator.control.answers = [told]
    result = operator.run("replay", *arguments, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout, parse_float=str) == json.loads(json.dumps(told, default=str))


@pytest.mark.parametrize("arguments", [["plan", *ARCHIVE], ["stop", JOB_ID, "--reason", "x"], ["list", "--json"]])
@pytest.mark.parametrize(("status", "exit_status"), [(400, 2), (404, 3), (409, 3), (503, 3)])
def test_a_problem_is_told_in_its_own_sentence(
    operator: Operator, arguments: list[str], status: int, exit_status: int
) -> None:
    """What is wrong with the command is wrong use; the rest could not be done."""
    operator.control.answers = [problem(status, "/from is missing: a replay from archive has a window")]
    result = operator.run("replay", *arguments)
    assert (result.exit_code, result.stdout) == (exit_status, "")
    assert result.stderr == "Error: /from is missing: a replay from archive has a window\n"


def test_a_problem_without_a_detail_is_told_too(operator: Operator) -> None:
    """By its title, or at least its status."""
    operator.control.answers = [{"status": 409, "title": "Conflict"}]
    assert operator.run("replay", "list").stderr == "Error: Conflict\n"
    operator.control.answers = [{"status": 418}]
    assert operator.run("replay", "list").stderr == "Error: Replay control refuses it (418).\n"


def test_something_that_is_no_answer_is_told(operator: Operator) -> None:
    """Another version's function, perhaps."""
    operator.control.answers = [[]]
    result = operator.run("replay", "list")
    assert result.exit_code == 3
    assert "something that is no answer: update the stack, or this command." in result.stderr


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (403, "use credentials with lambda:InvokeFunction on ReplayControl."),
        (404, "Lambda does not find the function: Code404 (ReplayControl): update the stack, which makes it again"),
        (413, "Lambda does not take what the function is asked: Code413."),
        ("KeyError", "the function failed: KeyError (ReplayControl): look at its log, and run it again."),
    ],
)
def test_a_function_that_cannot_be_asked_is_told(operator: Operator, answered: Any, told: str) -> None:
    """In one line, with what to do."""
    operator.control.answers = [answered]
    result = operator.run("replay", "list")
    assert result.exit_code == 3
    (line,) = result.stderr.splitlines()
    assert told in line


def test_a_start_whose_answer_is_lost_names_its_job(operator: Operator) -> None:
    """It may have been started all the same."""
    operator.control.answers = ["TimeoutError"]
    result = operator.run("replay", "start", *ARCHIVE, "--last", "2h", "--reason", "x")
    job_id = operator.control.asked[0]["jobId"]
    assert f"see with `eventfork replay show {job_id}` that it was not started, and run it again." in result.stderr


def test_who_cannot_be_found_out_is_unknown(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """That keeps nobody from pausing a replay."""
    operator.control.answers = [answer("PAUSED")]
    session: Any = botocore.session.get_session

    def without_sts() -> botocore.session.Session:
        def fail(**_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://sts.example")

        made = session()
        made.register("before-call.sts.GetCallerIdentity", fail)
        return made

    monkeypatch.setattr(botocore.session, "get_session", without_sts)
    assert asked(operator, "pause", JOB_ID, "--reason", "x")["actor"] == "unknown"


def test_every_option_of_a_plan_is_one_of_a_start() -> None:
    """Or else the command that a plan ends with could not be run."""
    replay = command.commands["replay"]
    assert isinstance(replay, click.Group)
    names = [{one.name for one in replay.commands[name].params} for name in ("plan", "start")]
    assert names[0] - names[1] == {"dry_run"}
    assert set(Wanted.__dataclass_fields__) <= names[0] & names[1]

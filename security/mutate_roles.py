"""Take each permission of each function's role away, and have the quickest tests that use it tell.

Runs the integration tests once on a deployment that stays, to see which test has which role do what; then every
permission by itself is missing while some of these tests run: one must fail, for the denial. What no test uses, or
misses, survives: it is not needed, or a test is missing. What the engine never asks for is held to the templates.

The tests that missed permissions the last time are tried first; of some roles only, all are run when that is not
enough. What is found goes into the report beside what was found of other roles before. Where `EVENTFORK_DEPLOYED` names
a deployment, it is used, and what its tests have done so far is what they do.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from local import deployment
from local.engine.process import Engine
from security.by_services import REASONS, by_services
from security.changed_roles import changed_roles, is_commit
from security.deployed_roles import Role
from security.outcome import Outcome
from security.permissions import Permission, function_roles, permissions
from security.role_report import Verdict, closing, read_report, summary, write_report
from tests.integration.beside import CIRCUITS, SEARCH, StandInDomain, deploy_beside
from tests.integration.conftest import PARAMETERS, STACK
from tests.integration.deployed import VARIABLE, Deployed, outputs
from tests.templates import ALL

__all__ = ["main"]

TESTS = "tests/integration"
TRIES = 3
"""How many of the quickest tests are given the chance to miss a permission, and how many of those that use it most."""
TEST_SECONDS = 400
BEFORE = "(before the first test)"

OPTIONS = ("--no-cov", "--no-header", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
FORKS = multiprocessing.get_context("forkserver")
"""Has imported what the tests need before a process is forked for each run: that takes longer than most tests."""
FORKS.set_forkserver_preload(["tests.integration.conftest", "hypothesis", "psutil", "pytest_cov", "pytest_timeout"])


class Use(NamedTuple):
    """What a role did during a test."""

    test: str
    role: str
    action: str
    resource: str


def _run(arguments: tuple[str, ...], log: Path, deployed: Path) -> None:
    """Run tests in a process of their own, all output into a file."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    os.environ[VARIABLE] = str(deployed)
    code: int = pytest.ExitCode.INTERNAL_ERROR
    try:
        code = pytest.main([*OPTIONS, *arguments])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # What an uncaught exception would end with is what tests that fail end with.
        os._exit(code)


class Application:
    """The deployment that stays, and what its engine records.

    Parameters
    ----------
    engine : Engine
    place : Path
        Where to put what tells the tests where it is.
    """

    def __init__(self, engine: Engine, place: Path) -> None:
        self._engine = engine
        self._file = place / "deployed.json"
        self._read = 0
        self.gone: type[Exception] = engine.client("iam").exceptions.NoSuchEntityException
        Deployed(engine.port, engine.pid, str(engine.data_directory)).write(self._file)

    def roles(self) -> dict[str, list[Role]]:
        """Give the roles of functions by their logical ids: some are deployed twice, and an update makes some anew."""
        found: dict[str, list[Role]] = defaultdict(list)
        for stack in (STACK, SEARCH, CIRCUITS):
            for name, role in self._roles(stack):
                found[name].append(role)
        return found

    def _roles(self, stack: str) -> Iterator[tuple[str, Role]]:
        pages = self._engine.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        found = [one for page in pages for one in page["StackResourceSummaries"]]
        physical = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}
        wanted = {role: names for template in ALL for role, names in function_roles(template.document).items()}
        for role in physical.keys() & wanted.keys():
            yield role, Role(self._engine, physical[role], physical[wanted[role][0]])
        for one in found:
            if one["ResourceType"] == "AWS::CloudFormation::Stack":
                yield from self._roles(one["PhysicalResourceId"])

    def run(self, *arguments: str, seconds: float | None = None) -> int:
        """Run tests against it; give what pytest ends with."""
        log = self._file.with_suffix(".log")
        run = FORKS.Process(target=_run, args=(arguments, log, self._file))
        run.start()
        run.join(seconds)
        if run.exitcode is None:
            run.kill()
            run.join()
            return int(pytest.ExitCode.TESTS_FAILED)
        if run.exitcode not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            raise RuntimeError(f"pytest cannot run these tests: {log.read_text()[-2000:]}")
        if run.exitcode and seconds is None:
            print(log.read_text()[-4000:])
        return run.exitcode

    def forget_replays(self) -> None:
        """Forget the replays that a test has left unfinished, which would be in the way of every later one."""
        table, dynamodb = outputs(self._engine, STACK)["ReplayTableName"], self._engine.client("dynamodb")
        keys = [one["AttributeName"] for one in dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]]
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            for row in page["Items"]:
                dynamodb.delete_item(TableName=table, Key={key: row[key] for key in keys})

    def recorded(self) -> list[dict[str, Any]]:
        """Give what the engine has recorded since the last look."""
        with self._engine.decisions_file.open("rb") as file:
            file.seek(self._read)
            lines = file.readlines()
            self._read = file.tell()
        return [json.loads(line) for line in lines]


class Baseline:
    """Which tests have which roles do what, and how long they take.

    Parameters
    ----------
    records : list of dict
        What was recorded, of tests and of decisions.
    """

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self._uses: Counter[Use] = Counter()
        self._seconds: dict[str, float] = {}
        test, began = BEFORE, 0.0
        for record in records:
            if "test" in record:
                self._seconds[test] = record["at"] - began
                test, began = record["test"], record["at"]
            else:
                self._uses[Use(test, record["role"], record["action"], record["resource"])] += 1

    def candidates(self, permission: Permission, roles: Collection[str], resources: Collection[str]) -> list[str]:
        """Give tests that may miss a permission of a role, by any of its names: the quickest that use it come first.

        What a function does by itself it may do during a test that does not need it: so those that use it most follow.
        """
        uses = Counter[str]()
        for use in self._used(permission, roles, resources):
            uses[use.test] += self._uses[use]
        del uses[BEFORE]
        quickest = sorted(uses, key=lambda test: self._seconds.get(test, float("inf")))
        busiest = [test for test, _ in uses.most_common(TRIES)]
        return list(dict.fromkeys(quickest[:TRIES] + busiest))

    def asked(self, permission: Permission, roles: Collection[str], resources: Collection[str]) -> bool:
        """Tell whether the engine ever asked for a permission."""
        return any(self._used(permission, roles, resources))

    def _used(self, permission: Permission, roles: Collection[str], resources: Collection[str]) -> Iterator[Use]:
        for use in self._uses:
            if (
                use.role in roles
                and use.action == permission.action
                and any(fnmatchcase(use.resource, resource) for resource in resources)
            ):
                yield use


def _mutants(chosen: Collection[str]) -> Iterator[tuple[Permission, str]]:
    """Give every permission of the chosen roles, with what services use it for, if they do."""
    for template in ALL:
        for role in function_roles(template.document):
            if role in chosen:
                services = by_services(template.document, role)
                for permission in permissions(template.document, role):
                    yield permission, services.get(permission, "")


class Trial:
    """Finds for each permission a test that misses it.

    Parameters
    ----------
    application : Application
    known : mapping
        For permissions, the test that missed it the last time.
    junit : Path or None
        Where to say how the tests end with every permission in place.
    """

    def __init__(self, application: Application, known: Mapping[Permission, str], junit: Path | None = None) -> None:
        self._application = application
        self._known = known
        self._junit = junit
        self.faults: list[str] = []
        self._names: dict[str, set[str]] = defaultdict(set)
        self._look_up()
        self._baseline: Baseline | None = None

    def observe(self) -> Baseline:
        """Run all tests with every permission in place, or take what they did already, to see who does what."""
        if Deployed.named() is None:
            print(f"running {TESTS}, to see who does what", flush=True)
            reported = [f"--junitxml={self._junit}"] if self._junit else []
            if self._application.run(TESTS, "-m", "not sweep", "--kill-seeds=0", *reported):
                self.faults.append(f"{TESTS} fails with every permission in place: mend that first")
        self._baseline = Baseline(self._application.recorded())
        return self._baseline

    def judge(self, permission: Permission, purpose: str) -> Verdict:
        """Take a permission away, and tell which test missed it, or why none can."""
        roles, names = self._with(permission), self._names[permission.role]
        if purpose and roles:
            asked = self._baseline is not None and any(
                self._baseline.asked(permission, names, role.resources(permission)) for role in roles
            )
            return Verdict(permission, static="" if asked else REASONS[purpose])
        for role in roles:
            for test in self._candidates(permission, role):
                if self._is_missed(permission, role, test):
                    return Verdict(permission, killed_by=test)
        return Verdict(permission)

    def _candidates(self, permission: Permission, role: Role) -> Iterator[str]:
        """Give the tests that may miss a permission, the most promising first."""
        resources = role.resources(permission)
        if test := self._known.get(permission):
            yield test
        baseline = self._baseline or self.observe()
        yield from baseline.candidates(permission, self._names[permission.role], resources)

    def _with(self, permission: Permission) -> list[Role]:
        """Find the roles that have a permission: of two that are deployed one may not; an update makes some anew."""
        for _ in range(2):
            with contextlib.suppress(self._application.gone):
                if found := [role for role in self._roles[permission.role] if role.resources(permission)]:
                    return found
            self._look_up()
        return []

    def _look_up(self) -> None:
        self._roles = self._application.roles()
        for name, roles in self._roles.items():
            self._names[name] |= {role.name for role in roles}

    def _is_missed(self, permission: Permission, role: Role, test: str) -> bool:
        self._application.recorded()
        with role.without(permission):
            failed = self._application.run("-x", test, seconds=TEST_SECONDS)
            denied = any(
                not one.get("allowed", True) and (one["role"], one["action"]) == (role.name, permission.action)
                for one in self._application.recorded()
            )
        if failed:
            self._application.forget_replays()
        return bool(failed and denied)


@contextlib.contextmanager
def _application() -> Iterator[Application]:
    """Give the deployment that is to be attached to, or one that goes afterwards."""
    with tempfile.TemporaryDirectory() as place:
        if deployed := Deployed.named():
            yield Application(deployed.engine(), Path(place))
            return
        with StandInDomain() as domain, Engine(firehose_interval_scale=1 / 60, enforce_iam=True) as engine:
            print("starting an engine, building and deploying", flush=True)
            deployment.build()
            deployment.deploy(engine, STACK, {**deployment.target_parameters(), **PARAMETERS})
            deploy_beside(engine, domain)
            yield Application(engine, Path(place))


def main() -> int:
    """Mutate the roles; 0 when nothing survives."""
    parser = argparse.ArgumentParser(prog="make mutate-roles", description="Take each permission of each role away.")
    parser.add_argument("--roles", help="logical ids of the roles, with commas between them; all when left alone")
    parser.add_argument("--changed", metavar="REF", help="only roles that are allowed other things than at this commit")
    parser.add_argument(
        "--junitxml", type=Path, metavar="FILE", help="say there how the tests end as long as nothing is taken away"
    )
    options = parser.parse_args()
    every = [role for template in ALL for role in function_roles(template.document)]
    chosen = options.roles.split(",") if options.roles else every
    if unknown := set(chosen) - set(every):
        parser.error(f"no function has the role {', '.join(sorted(unknown))}: choose from {', '.join(every)}")
    if options.changed:
        if not is_commit(options.changed):
            parser.error(f"{options.changed} is no commit here: fetch it, or name another")
        changed = changed_roles(options.changed)
        chosen = [role for role in chosen if role in changed]
    mutants = list(_mutants(chosen))
    if not mutants:
        print("No role is allowed other things: nothing to take away.")
        return 0
    # Whoever ends this, what was taken away is given back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    of_all = [permission for permission, _ in _mutants(every)]
    found = read_report()
    known = {one.permission: one.killed_by for one in found.values() if one.killed_by}
    verdicts: list[Verdict] = []
    with _application() as application:
        trial = Trial(application, known, options.junitxml)
        if chosen == every:
            trial.observe()
        for number, mutant in enumerate(mutants, 1):
            verdict = trial.judge(*mutant)
            verdicts.append(verdict)
            outcome = f"missed by {verdict.killed_by}" if verdict.killed_by else verdict.static or "SURVIVED"
            shown = " ".join(verdict.permission)
            print(f"{number} of {len(mutants)}, {time.monotonic() - began:.0f} s: {shown}: {outcome}", flush=True)
            # Each at once: whoever ends an hour's run half-way keeps what it has found.
            found[verdict.permission] = verdict
            write_report([found.get(one) or Verdict(one) for one in of_all])
    print("", *summary(verdicts), f"{time.monotonic() - began:.0f} s", closing(verdicts), sep="\n")
    survivors = [" ".join(one.permission) for one in verdicts if one.survived]
    faults = (*trial.faults, *survivors)
    print(*Outcome(len(verdicts), len(faults), faults=faults).lines(), sep="\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())

"""What cfn-guard reports is read by rule and resource."""

import pytest

from security.cfn_guard import binary, findings
from security.outcome import CouldNotRunError

MESSAGE = "\n [CT.SQS.PR.2]: Require encryption\n [FIX]: Set 'KmsMasterKeyId'.\n"


def test_a_rule_that_is_broken_is_one_finding_for_each_resource() -> None:
    checks = [
        {"Clause": {"messages": {"custom_message": MESSAGE}, "check": {"path": f"/Resources/{name}/Properties/{key}"}}}
        for name, key in [("Queue", "A"), ("Queue", "B"), ("Other", "A")]
    ]
    template = {
        "name": "/tmp/x/application pipelines:backup.json",
        "compliant": ["one", "two"],
        "not_compliant": [{"Rule": {"name": "sqs", "checks": checks}}],
    }
    found, applied = findings([template])
    assert applied == 4
    assert [(one.rule, one.place) for one in found] == [
        ("CT.SQS.PR.2", "application pipelines/backup Other"),
        ("CT.SQS.PR.2", "application pipelines/backup Queue"),
    ]
    assert "Set 'KmsMasterKeyId'" in found[0].sentence


def test_a_rule_that_names_neither_itself_nor_a_resource_is_a_finding_all_the_same() -> None:
    template = {"name": "alone.json", "compliant": [], "not_compliant": [{"Rule": {"name": "odd", "checks": []}}]}
    assert [(one.rule, one.place) for one in findings([template])[0]] == [("odd", "alone ?")]


def test_a_machine_that_there_is_no_program_for_is_named() -> None:
    assert binary("Darwin", "arm64").parts[-3:] == ("macos", "aarch64", "cfn-guard")
    with pytest.raises(CouldNotRunError, match="Windows"):
        binary("Windows", "AMD64")

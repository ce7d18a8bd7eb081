"""Intrinsic functions are decided as a deployment decides them."""

from typing import Any

import pytest

from security.intrinsics import Scope, resolved

SCOPE = Scope(
    {"Name": "a", "Empty": "", "Days": 365},
    {
        "HasName": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Name"}, ""]}]},
        "HasBoth": {"Fn::And": [{"Condition": "HasName"}, {"Fn::Equals": [{"Ref": "Empty"}, "b"]}]},
        "HasEither": {"Fn::Or": [{"Condition": "HasBoth"}, {"Condition": "HasName"}]},
    },
)
NO_VALUE = {"Ref": "AWS::NoValue"}


@pytest.mark.parametrize(
    ("written", "decided"),
    [
        ({"Ref": "Days"}, 365),
        ({"Ref": "Queue"}, {"Ref": "Queue"}),
        ({"Ref": "AWS::Partition"}, "aws"),
        ({"Fn::If": ["HasName", [{"Ref": "Name"}], NO_VALUE]}, ["a"]),
        ({"A": {"Fn::If": ["HasBoth", 1, NO_VALUE]}, "B": 2}, {"B": 2}),
        ([{"Fn::If": ["HasEither", 1, 2]}, NO_VALUE], [1]),
        ({"Fn::Sub": "arn:${AWS::Partition}:sqs:${Name}:${!Kept}"}, "arn:aws:sqs:a:${Kept}"),
        ({"Fn::Sub": "api/${Api}/*"}, "api/api/*"),
        ({"Fn::Sub": "${Bucket.Arn}/*"}, {"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/*"]]}),
        ({"Fn::Sub": ["${x}!", {"x": {"Ref": "Name"}}]}, "a!"),
        ({"Fn::GetAtt": ["Key", "Arn"]}, {"Fn::GetAtt": ["Key", "Arn"]}),
    ],
)
def test_what_is_written_becomes_what_is_deployed(written: Any, decided: Any) -> None:
    assert resolved(written, SCOPE) == decided

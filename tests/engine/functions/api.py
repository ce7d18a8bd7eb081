"""Answer with what API Gateway handed over, or as the caller asks."""

import json
from typing import Any

ECHOED = ("path", "pathParameters", "queryStringParameters", "body", "resource")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Echo the request, or do what the header `x-act` says."""
    act = event["headers"].get("x-act")
    if act == "raise":
        raise LookupError("nothing here")
    if act == "answer-in-no-format":
        return {"plain": True}
    return {
        "statusCode": 202,
        "headers": {"content-type": "application/problem+json", "Location": "orders/9027/48213"},
        "body": json.dumps({name: event[name] for name in ECHOED}),
    }

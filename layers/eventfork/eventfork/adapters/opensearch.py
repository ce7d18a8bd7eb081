"""Amazon OpenSearch Service: what an index of a search domain is, who may use it, and what is in it."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from eventfork.errors import DeniedError, NotFoundError, RefusedError, UnavailableError
from eventfork.json_text import render

__all__ = ["SearchDomain"]

_TIMEOUTS: Final = (5, 30)
"""Seconds to connect, and to wait for an answer: a small domain takes long over its first dashboards."""
_REASON_CHARACTERS: Final = 300
_BOUNDARY: Final = "eventfork-saved-objects"


class SearchDomain:
    """A search domain; AWS has no client for what is in one, so that its requests are signed here.

    Every method raises `DeniedError` if the caller may not, `NotFoundError` if the domain has no such thing,
    `RefusedError` if it does not take what it was sent, and `UnavailableError` if it did not answer, or could not.

    Parameters
    ----------
    endpoint : str
        Its URL, such as https://search-orders.eu-central-1.es.amazonaws.com.
    session : botocore session
        For the credentials and the Region that requests are signed with.
    http : botocore URLLib3Session, optional
        What sends them.
    """

    def __init__(self, endpoint: str, session: Any, http: Any = None) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._session = session
        self._http = http or URLLib3Session(timeout=_TIMEOUTS)

    def put_pipeline(self, name: str, definition: Mapping[str, Any]) -> None:
        """Put an ingest pipeline in place of any of that name."""
        self._json("PUT", f"_ingest/pipeline/{_step(name)}", definition)

    def put_index_template(self, name: str, definition: Mapping[str, Any]) -> None:
        """Put an index template in place of any of that name."""
        self._json("PUT", f"_index_template/{_step(name)}", definition)

    def put_role(self, name: str, definition: Mapping[str, Any], iam_role_arn: str) -> None:
        """Put a role of the security plugin, and give it to an IAM role and to nobody else.

        `NotFoundError` means that the domain has no such plugin.
        """
        self._json("PUT", f"_plugins/_security/api/roles/{_step(name)}", definition)
        self._json("PUT", f"_plugins/_security/api/rolesmapping/{_step(name)}", {"backend_roles": [iam_role_arn]})

    def put_audit_configuration(self, configuration: Mapping[str, Any]) -> None:
        """Say what the security plugin writes into the domain's audit log.

        `NotFoundError` means that the domain has no such plugin.
        """
        self._json("PUT", "_plugins/_security/api/audit/config", configuration)

    def import_saved_objects(self, lines: bytes) -> None:
        """Put saved objects for everyone, one JSON document a line; `NotFoundError` means there are no Dashboards."""
        disposition = 'form-data; name="file"; filename="saved-objects.ndjson"'
        body = (
            f"--{_BOUNDARY}\r\nContent-Disposition: {disposition}\r\nContent-Type: application/ndjson\r\n\r\n".encode()
            + lines
            + f"\r\n--{_BOUNDARY}--\r\n".encode()
        )
        headers = {
            "content-type": f"multipart/form-data; boundary={_BOUNDARY}",
            "osd-xsrf": "true",
            "securitytenant": "global",
        }
        answer = self._send("POST", "_dashboards/api/saved_objects/_import?overwrite=true", body, headers)
        if not answer.get("success"):
            kinds = sorted({str(one.get("error", {}).get("type")) for one in answer.get("errors", [])})
            raise RefusedError(f"OpenSearch Dashboards took not all saved objects: {', '.join(kinds)}")

    def search(self, indices: Sequence[str], query: Mapping[str, Any]) -> dict[str, Any]:
        """Search indices, of which any may be missing; an answer that lacks a part of them is no answer."""
        parameters = "ignore_unavailable=true&allow_partial_search_results=false"
        return self._json("POST", f"{_several(indices)}/_search?{parameters}", query)

    def count(self, indices: Sequence[str]) -> int:
        """Count the documents in indices, of which any may be missing."""
        answer = self._send("GET", f"{_several(indices)}/_count?ignore_unavailable=true", b"", {})
        count: int = answer["count"]
        return count

    def _json(self, method: str, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        return self._send(method, path, render(document).encode(), {"content-type": "application/json"})

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        request = AWSRequest(method, f"{self._endpoint}/{path}", headers=dict(headers), data=body)
        try:
            region = self._session.get_config_variable("region")
            SigV4Auth(self._session.get_credentials(), "es", region).add_auth(request)
            response = self._http.send(request.prepare())
            status, text = response.status_code, response.content
        except BotoCoreError as error:
            raise UnavailableError(f"the search domain cannot be reached: {type(error).__name__}") from error
        answer = _parsed(text)
        if status < HTTPStatus.MULTIPLE_CHOICES and isinstance(answer, dict):
            return answer
        raise _error(status, answer)


def _step(name: str) -> str:
    return quote(name, safe="")


def _several(indices: Sequence[str]) -> str:
    return ",".join(quote(index, safe="*") for index in indices)


def _parsed(text: bytes) -> Any:
    # Not `json_text.parse`: an answer holds whole events, and so nests deeper than any of them.
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _error(status: int, answer: Any) -> Exception:
    described = f"the search domain answered {status}"
    if reason := _reason(answer):
        described = f"{described}: {reason}"
    if _has_no_such_api(status, answer):
        return NotFoundError(described)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return DeniedError(described)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }:
        return RefusedError(described)
    return UnavailableError(described)


def _has_no_such_api(status: int, answer: Any) -> bool:
    # Dashboards that people sign in to elsewhere (SAML, Cognito) send a program there too.
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return True
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return True
    # The engine describes an error of a request that it knows as an object, and of one that it does not as a text.
    if status == HTTPStatus.BAD_REQUEST:
        return isinstance(answer, dict) and isinstance(answer.get("error"), str)
    # AWS, in front of a domain, answers so for an API that the domain does not offer, and 403 to whom it denies one.
    return status == HTTPStatus.UNAUTHORIZED and isinstance(answer, dict) and "Message" in answer


def _reason(answer: Any) -> str:
    """Give what an error says, in any of the forms of the engine, its security plugin, its Dashboards and of AWS."""
    match answer:
        case {"error": {"type": str(kind), **more}}:
            text = f"{kind}: {more.get('reason')}"
        case {"error": str(text)} | {"message": str(text)} | {"Message": str(text)}:
            pass
        case _:
            text = ""
    return text[:_REASON_CHARACTERS]

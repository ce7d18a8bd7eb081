"""How a REST API puts events on a bus, with no function between."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from tests.engine.workbench import Workbench

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Source: {Type: String}
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: !Ref AWS::StackName}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      DefinitionBody:
        openapi: 3.0.1
        info: {title: events, version: "1"}
        paths:
          /parcels:
            post:
              responses: {"202": {description: Accepted}}
              x-amazon-apigateway-integration:
                type: aws
                httpMethod: POST
                uri: !Sub arn:${AWS::Partition}:apigateway:${AWS::Region}:events:action/PutEvents
                credentials: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:role/any
                passthroughBehavior: never
                requestTemplates:
                  application/json: !Sub >-
                    {"Entries":[{"EventBusName":"${Bus}","Source":"${Source}","DetailType":"parcelSent",
                    "Detail":"{\\"id\\":\\"$context.extendedRequestId\\",
                    \\"data\\":$util.escapeJavaScript($input.json('$')).replaceAll("\\\\'","'")}"}]}
                responses:
                  default:
                    statusCode: "202"
                    responseTemplates:
                      application/json: |-
                        #if($input.path('$.FailedEntryCount') == 0)
                        {"eventId":"$context.extendedRequestId"}
                        #else
                        #set($context.responseOverride.status = 503)
                        #set($context.responseOverride.header.Content-Type = "application/problem+json")
                        #set($context.responseOverride.header.Retry-After = "5")
                        {"status":503}
                        #end
Outputs:
  BusName: {Value: !Ref Bus}
  ApiId: {Value: !Ref Api}
"""


class Parcels:
    """An API whose events go to a queue."""

    def __init__(self, workbench: Workbench, source: str) -> None:
        self._workbench = workbench
        stack = workbench.name("events-api")
        self._outputs = workbench.deploy(stack, TEMPLATE, Source=source)
        self._queue, arn = workbench.queue()
        events, bus = workbench.client("events"), self._outputs["BusName"]
        events.put_rule(Name=stack, EventBusName=bus, EventPattern=json.dumps({"detail-type": ["parcelSent"]}))
        events.put_targets(Rule=stack, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

    def post(self, body: bytes, content_type: str = "application/json") -> tuple[int, dict[str, str], Any]:
        """Send a request, and give status, headers and document of the answer."""
        engine = self._workbench.engine
        connection = http.client.HTTPConnection(engine.host, engine.port, timeout=120)
        try:
            path = f"/restapis/{self._outputs['ApiId']}/v1/_user_request_/parcels"
            connection.request("POST", path, body, {"Content-Type": content_type})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, headers, json.loads(response.read())
        finally:
            connection.close()

    def event(self) -> Any:
        """Wait for an event on the bus."""
        [message] = self._workbench.messages(self._queue, 1)
        return json.loads(message["Body"])


@pytest.fixture(scope="module")
def parcels(workbench: Workbench) -> Parcels:
    """Return an API that EventBridge takes events from."""
    return Parcels(workbench, "parcels")


def test_a_request_becomes_an_event(parcels: Parcels) -> None:
    """Its body is the event's data, and the answer names the event."""
    body = {"weight": 2, "to": 'O\'Hara "at" the\nÄußere Gasse \\ 7', "parts": [{"a": None}]}
    status, headers, answer = parcels.post(json.dumps(body, indent=1).encode())
    assert (status, headers["content-type"]) == (202, "application/json")
    event = parcels.event()
    assert (event["source"], event["detail-type"]) == ("parcels", "parcelSent")
    assert event["detail"] == {"id": answer["eventId"], "data": body}


def test_each_request_has_an_id_of_its_own(parcels: Parcels) -> None:
    """However alike they are."""
    ids = [parcels.post(b"{}")[2]["eventId"] for _ in range(2)]
    assert ids[0] != ids[1]


def test_a_body_of_another_content_type_is_refused(parcels: Parcels) -> None:
    """There is no template for it, and nothing is passed through."""
    assert parcels.post(b"<parcel/>", "application/xml")[0] == 415


def test_an_event_that_the_bus_refuses_is_told_by_status_and_headers(workbench: Workbench) -> None:
    """EventBridge itself answers 200, and only the count says that nothing was taken."""
    status, headers, answer = Parcels(workbench, "aws.parcels").post(b"{}")
    assert (status, answer) == (503, {"status": 503})
    assert (headers["content-type"], headers["retry-after"]) == ("application/problem+json", "5")

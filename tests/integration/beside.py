"""What is deployed beside the application, for what it leaves out: search without a node, and notices of circuits."""

import json

from local import deployment
from local.engine.process import Engine
from tests.faults.endpoint import Answer, Endpoint, Request
from tests.integration.searching import DOMAIN_ARN
from tests.templates import PROJECT_ROOT

__all__ = ["CIRCUITS", "SEARCH", "StandInDomain", "deploy_beside"]

SEARCH = "beside-search"
CIRCUITS = "beside-circuits"
CIRCUIT = "payments"


class StandInDomain(Endpoint):
    """A search domain that takes everything, and keeps nothing."""

    def answer(self, request: Request) -> Answer:
        """Say that it is done."""
        if not request.path.partition("?")[0].endswith("/_bulk"):
            return Answer(200, json.dumps({"acknowledged": True, "success": True}).encode())
        items = [{"index": {"status": 201}}] * (request.body.count(b"\n") // 2)
        return Answer(200, json.dumps({"errors": False, "items": items}).encode())


def deploy_beside(engine: Engine, domain: StandInDomain) -> None:
    """Deploy the search pipeline and the circuit breaker, each alone."""
    sns = engine.client("sns")
    topic = sns.create_topic(Name="beside")["TopicArn"]
    # A topic's first policy lets the whole account publish; with this one roles decide.
    account = {"AWS": f"arn:aws:iam::{topic.split(':')[4]}:root"}
    policy = {"Statement": {"Effect": "Allow", "Principal": account, "Action": "sns:*", "Resource": topic}}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))
    bus = engine.client("events").create_event_bus(Name="beside")["EventBusArn"]
    parameter = "beside-health"
    engine.client("ssm").put_parameter(Name=parameter, Value=domain.url, Type="String", Overwrite=True)
    search = {"TopicArn": topic, "DomainArn": DOMAIN_ARN, "DomainEndpoint": domain.url}
    circuits = {
        "EventBusName": bus.rpartition("/")[2],
        "Circuits": json.dumps({CIRCUIT: {"healthEndpointParameter": parameter}}),
        "HealthParameterArns": f"arn:aws:ssm:us-east-1:000000000000:parameter/{parameter}",
        "ParameterPrefix": "/beside/circuits/",
        "NoticeTopicArn": topic,
    }
    for stack, folder, parameters in (
        (SEARCH, "pipelines/search", search),
        (CIRCUITS, "applications/circuit-breaker", circuits),
    ):
        built = deployment.build(PROJECT_ROOT / folder / "template.yaml")
        deployment.deploy(engine, stack, parameters, built.template)

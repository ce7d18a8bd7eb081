"""The documents say what the code does."""

import json
import re
from pathlib import Path

import pytest
from eventfork.checkout import Accepted
from eventfork.json_text import parse
from eventfork.orders import OrderError
from eventfork.problems import problem

from tests.templates import ALL, PROJECT_ROOT

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "pipelines/*/*.md", "applications/*/*.md")
    for path in PROJECT_ROOT.glob(pattern)
)


def _event_id() -> str:
    return str(json.loads((PROJECT_ROOT / "events" / "checkout-topic.json").read_text(encoding="utf-8"))["id"])


def test_the_readme_shows_the_answer_that_the_sample_order_gets() -> None:
    accepted = Accepted(customer_id="9027", order_id="48213", event_id=_event_id())
    assert f"location: {accepted.location}\n" in README
    assert f'{{"orderId":"48213","eventId":"{_event_id()}"}}' in README


def test_the_readme_shows_the_problem_document_of_a_missing_amount() -> None:
    assert str(problem(OrderError("/payment/amount", "is missing"))["body"]) in README


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_every_parameter_that_a_document_sets_exists(document: Path) -> None:
    pipeline = document.parent / "template.yaml"
    known = (pipeline if pipeline.exists() else PROJECT_ROOT / "template.yaml").read_text(encoding="utf-8")
    for name in re.findall(r"\b([A-Z]\w+)=(?:true|false)\b", document.read_text(encoding="utf-8")):
        assert f"  {name}:\n" in known, name


def test_the_readme_counts_the_alarms_that_cost() -> None:
    # What is left out until somebody asks for it.
    optional = {"fraud-screening", "payments", "payment-provider", "circuit-breaker"}
    deployed = [template for template in ALL if template.path.parent.name not in optional]
    count = sum(len(template.resources("AWS::CloudWatch::Alarm")) for template in deployed)
    assert f"{count} alarms ({count * 0.10:.2f})" in " ".join(README.split())


def test_the_readme_counts_the_alarms_that_are_left_out_with_search() -> None:
    count = (
        (PROJECT_ROOT / "pipelines/search/template.yaml").read_text(encoding="utf-8").count("AWS::CloudWatch::Alarm")
    )
    assert f"its domain and its {count} alarms" in README


def test_the_sample_order_is_valid_json_that_reads_in_one_way() -> None:
    assert parse((PROJECT_ROOT / "events" / "order.json").read_text(encoding="utf-8"))["id"] == 48213

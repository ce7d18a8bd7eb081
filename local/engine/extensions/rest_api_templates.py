"""What a mapping template of a REST API needs to put events on a bus.

Of the template language the engine lacks `$util.escapeJavaScript`, a text's `replaceAll`, `#if` with `#else`, and
`$context.responseOverride`, by which a template sets the status and the headers of the answer ("Mapping template
reference", "Override your API's request and response parameters and status codes", API Gateway developer guide).

Not needed once `apigateway_v1._vtl_render` knows these. Conditions that compare a reference with a whole number, and no
condition within another; overrides by a text or a number as it stands.
"""

from __future__ import annotations

import contextvars
import json
import re
from collections.abc import Callable
from typing import Any

from ministack.services import apigateway_v1

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

Answer = tuple[int, dict[str, str], bytes]
Steps = list[tuple[str, str]]
State = dict[str, Any]

CONDITION = re.compile(
    r"#if\((?P<reference>\$.+?) == (?P<number>\d+)\)\s*(?P<then>.*?)(?:#else\s*(?P<otherwise>.*?))?#end", re.DOTALL
)
OVERRIDE = re.compile(
    r"#set\(\$context\.responseOverride\.(?P<name>status|header\.[\w-]+) = \"?(?P<value>[^\")]*)\"?\)\s*"
)


def apply() -> None:
    """Evaluate conditions, overrides and functions in templates."""
    overrides: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("overrides")

    def build_render(render: Callable[..., str]) -> Callable[..., str]:
        def render_conditions(template: str, body: str, parameters: Any, context: Any = None) -> str:
            def choose(match: re.Match[str]) -> str:
                holds = render(match["reference"], body, parameters, context) == match["number"]
                return (match["then"] if holds else match["otherwise"]) or ""

            def override(match: re.Match[str]) -> str:
                overrides.get({})[match["name"]] = match["value"]
                return ""

            chosen = OVERRIDE.sub(override, CONDITION.sub(choose, template))
            return render(chosen, body, parameters, context)

        return render_conditions

    def build_respond(respond: Callable[..., Answer]) -> Callable[..., Answer]:
        def respond_with_overrides(*arguments: Any) -> Answer:
            found: dict[str, str] = {}
            overrides.set(found)
            status, headers, body = respond(*arguments)
            headers.update({name.partition(".")[2]: value for name, value in found.items() if name != "status"})
            return int(found.get("status", status)), headers, body

        return respond_with_overrides

    replace(apigateway_v1, "_render_request_template_v1", build_render)
    replace(apigateway_v1, "_service_integration_response", build_respond)
    replace(apigateway_v1, "_vtl_util", _with_escape)


def _with_escape(call: Callable[[Steps, State], Any]) -> Callable[[Steps, State], Any]:
    value_of = engine_attribute(apigateway_v1, "_vtl_value")
    arguments_of = engine_attribute(apigateway_v1, "_vtl_split_args")
    text_of = engine_attribute(apigateway_v1, "_vtl_str")

    def call_or_escape(steps: Steps, state: State) -> Any:
        if [name for name, _arguments in steps] not in (["escapeJavaScript"], ["escapeJavaScript", "replaceAll"]):
            return call(steps, state)
        [argument] = arguments_of(steps[0][1])
        # As on AWS, an apostrophe is escaped too, which JSON does not allow: templates replace it again.
        text = json.dumps(text_of(value_of(argument, state)))[1:-1].replace("'", "\\'")
        for _name, source in steps[1:]:
            pattern, replacement = (value_of(each, state) for each in arguments_of(source))
            text = re.sub(pattern, str(replacement), text)
        return text

    return call_or_escape

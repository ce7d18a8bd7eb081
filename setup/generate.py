"""Write what is made of `schemas/order.schema.json`: the models in `template.yaml` and in `openapi.yaml`.

Run it as `make generate` after a change of the schema; a test fails where it was forgotten.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
SCHEMA: Final = PROJECT_ROOT / "schemas" / "order.schema.json"
BEGIN: Final = "# generated: "
END: Final = "# end of what is generated"
COARSE: Final = ("type", "required")
"""What the gateway checks. The function checks everything, and unlike the gateway it can name the field."""


def coarse_model(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the gateway's model: an object, with the top-level keys that must be there."""
    return {"Order": {key: schema[key] for key in COARSE}}


def full_models(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of the API's description: OpenAPI 3.0's dialect keeps what draft 4 has, but for the frame."""
    text = json.dumps(schema).replace("#/definitions/", "#/components/schemas/")
    order = json.loads(text)
    definitions = order.pop("definitions")
    del order["$schema"]
    return {**definitions, "Order": order}


FILES: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "template.yaml": coarse_model,
    "openapi.yaml": full_models,
}


def generated(name: str) -> str:
    """Return the file `name` with its generated part as it should be."""
    text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
    models = FILES[name](json.loads(SCHEMA.read_text(encoding="utf-8")))
    before, begin, rest = text.partition(BEGIN)
    names, _, rest = rest.partition("\n")
    indentation = " " * (len(before) - before.rindex("\n") - 1)
    _, end, after = rest.partition(f"{indentation}{END}")
    part = yaml.safe_dump(models, sort_keys=False, width=110, allow_unicode=True)
    indented = "".join(f"{indentation}{line}\n" for line in part.splitlines())
    return f"{before}{begin}{names}\n{indented}{end}{after}"


def main() -> int:
    """Write the files that are not as they should be, and name them."""
    for name in FILES:
        text = generated(name)
        path = PROJECT_ROOT / name
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"{name} is written anew.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

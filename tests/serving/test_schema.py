"""The OpenAPI schema holds: every documented call answers as documented."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving_toys import listening

pytestmark = pytest.mark.serve
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
FED = ("POST /v1/recommendations", "POST /v1/feedback", "GET /v1/items", "GET /v1/items/{item_id}",
       "GET /v1/audits/{request_id}")  # fmt: skip


def test_every_route_has_a_summary_examples_and_documented_refusals(client):
    api = client.get("/openapi.json").json()
    routes = {
        f"{method.upper()} {path}": route for path, found in api["paths"].items() for method, route in found.items()
    }
    assert set(FED) <= set(routes)
    for name, route in routes.items():
        assert route["summary"], name
        assert route["responses"]["200" if "201" not in route["responses"] else "201"], name
    for model in ("RecommendRequest", "RecommendAnswer", "Feedback", "ErrorBody"):
        assert api["components"]["schemas"][model]["examples"], model


@pytest.mark.parametrize("name", FED)
def test_generated_calls_are_answered_as_the_schema_says(make, name):
    app = make()
    method, path = name.split(" ")
    with listening(app) as url:
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")

        @settings(
            max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True
        )
        @given(case=schema[path][method].as_strategy())
        def call(case: object) -> None:
            case.call_and_validate(checks=CHECKS)  # type: ignore[attr-defined]

        call()

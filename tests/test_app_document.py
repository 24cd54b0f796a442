"""The rules of the API document: what scripts and generated clients rely on."""

import copy
from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args

import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from coverslip.app.routes import ROUTERS
from coverslip.app.server import create_app
from coverslip.workspace.store.workspace import Workspace, open_workspace

Json = dict[str, Any]  # Any: JSON values
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("document")
    return open_workspace(folder / "home", (folder,))


@pytest.fixture(scope="module")
def document(workspace: Workspace) -> Json:
    return create_app(workspace).openapi()


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", method, operation


def parameters_of(document: Json, operation: Json) -> list[Json]:
    shared = document["components"]["parameters"]
    listed = operation.get("parameters", [])
    return [shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in listed]


def content_of(operation: Json, status: str) -> Json:
    """The schema of a response in JSON; empty if it has none."""
    content = operation["responses"].get(status, {}).get("content", {})
    schema: Json = content.get("application/json", {}).get("schema", {})
    return schema


def undescribed_parameters(document: Json) -> Iterator[str]:
    for address, _, operation in operations(document):
        for parameter in parameters_of(document, operation):
            if not (parameter.get("description") or parameter["in"] == "path" or parameter["name"].endswith("_id")):
                yield f"{address}: {parameter['name']}"


def undescribed_operations(document: Json) -> Iterator[str]:
    for address, _, operation in operations(document):
        if not operation.get("description"):
            yield address


def successes_without_location(document: Json) -> Iterator[str]:
    for address, _, operation in operations(document):
        for status in {"201", "202"} & set(operation["responses"]):
            if "Location" not in operation["responses"][status].get("headers", {}):
                yield f"{address}: {status}"


def missing_problems(document: Json) -> Iterator[str]:
    for address, method, operation in operations(document):
        responses = operation["responses"]
        required = {"401", "503", "default"} | ({"507"} if method != "get" else set())
        required |= {"404"} if "{" in address else set()
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        properties = (
            document["components"]["schemas"].get(body.get("$ref", "").rpartition("/")[2], {}).get("properties", {})
        )
        required |= {"412", "428"} if "digest" in properties else set()
        yield from (f"{address}: {status}" for status in required - set(responses))
        for status, response in responses.items():
            name = response.get("$ref", "").rpartition("/")[2]
            content = document["components"]["responses"].get(name, response).get("content")
            if status >= "400" and content != PROBLEM:
                yield f"{address}: {status} is no problem document"


def lists_of_another_shape(document: Json) -> Iterator[str]:
    for address, _, operation in operations(document):
        schema = content_of(operation, "200")
        is_page = schema.get("$ref", "").rpartition("/")[2].startswith("Page_")
        if schema.get("type") == "array":
            yield f"{address}: an array has no pages"
        parameters = {parameter["name"] for parameter in parameters_of(document, operation)}
        is_binary = not schema  # all numbers at once
        if operation["operationId"].startswith("list_") and not (is_page or is_binary or "after" in parameters):
            yield f"{address}: a list without pages"
        if is_page and not {"offset", "limit"} <= parameters:
            yield f"{address}: its pages cannot be requested"


def changes_without_description_of_access(document: Json) -> Iterator[str]:
    schemes = document["components"].get("securitySchemes", {})
    named = {name for each in document.get("security", []) for name in each}
    yield from {"token", "cookie"} - (named & set(schemes))


Rule = Callable[[Json], Iterator[str]]
RULES: tuple[Rule, ...] = (
    undescribed_parameters,
    undescribed_operations,
    successes_without_location,
    missing_problems,
    lists_of_another_shape,
    changes_without_description_of_access,
)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_document_keeps_every_rule(document: Json, rule: Rule) -> None:
    assert sorted(rule(document)) == []


def _operation(document: Json, operation_id: str) -> Json:
    return next(each for _, _, each in operations(document) if each["operationId"] == operation_id)


def _undescribe_parameter(document: Json) -> None:
    del parameters_of(document, _operation(document, "list_datasets"))[0]["description"]


def _undescribe_operation(document: Json) -> None:
    del _operation(document, "get_dataset")["description"]


def _remove_location(document: Json) -> None:
    del _operation(document, "create_run")["responses"]["201"]["headers"]


def _remove_problem(document: Json) -> None:
    del _operation(document, "create_run")["responses"]["507"]


def _return_array(document: Json) -> None:
    _operation(document, "list_runs")["responses"]["200"]["content"]["application/json"]["schema"] = {"type": "array"}


def _remove_scheme(document: Json) -> None:
    del document["components"]["securitySchemes"]["cookie"]


VIOLATIONS: tuple[Callable[[Json], None], ...] = (
    _undescribe_parameter,
    _undescribe_operation,
    _remove_location,
    _remove_problem,
    _return_array,
    _remove_scheme,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule, violate", list(zip(RULES, VIOLATIONS, strict=True)), ids=[violate.__name__ for violate in VIOLATIONS]
)
def test_each_rule_finds_a_violation(document: Json, rule: Rule, violate: Callable[[Json], None]) -> None:
    changed = copy.deepcopy(document)
    violate(changed)
    assert list(rule(changed)) != []


def fields_of(body: Any) -> Iterator[FieldInfo]:  # Any: a model or a type that contains models
    for each in (body, *get_args(body)):
        for field in getattr(each, "model_fields", {}).values():
            yield field
            yield from fields_of(field.annotation)


def test_examples_of_fields_are_valid() -> None:
    routes = (route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute))
    bodies = {route.body_field.field_info.annotation for route in routes if route.body_field}
    examples = [(field, example) for body in bodies for field in fields_of(body) for example in field.examples or ()]
    assert examples
    for field, example in examples:
        TypeAdapter(Annotated[field.annotation, None, *field.metadata]).validate_python(example)

"""The rules of the API document: what scripts and generated clients rely on."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coverslip.app.schemas import datasets, jobs, system
from coverslip.app.schemas.descriptions import EXAMPLES, FIELDS, FIELDS_OF, PARAMETERS
from coverslip.app.server import create_app
from coverslip.workspace import objects
from coverslip.workspace.predictions import object_export, samples
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


def undescribed_properties(document: Json) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        for field, content in schema.get("properties", {}).items():
            if not content.get("description"):
                yield f"{name}.{field}"


def undescribed_parameters(document: Json) -> Iterator[str]:
    for address, _, operation in operations(document):
        for parameter in parameters_of(document, operation):
            if not parameter.get("description"):
                yield f"{address}: {parameter['name']}"


def undescribed_operations(document: Json) -> Iterator[str]:
    for address, _, operation in operations(document):
        if not operation.get("description"):
            yield address


def bodies_without_example(document: Json) -> Iterator[str]:
    for address, _, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content and "example" not in content["application/json"]:
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
    undescribed_properties,
    undescribed_parameters,
    undescribed_operations,
    bodies_without_example,
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


def _undescribe_field(document: Json) -> None:
    del document["components"]["schemas"]["Metric"]["properties"]["value"]["description"]


def _undescribe_parameter(document: Json) -> None:
    del parameters_of(document, _operation(document, "get_dataset"))[0]["description"]


def _undescribe_operation(document: Json) -> None:
    del _operation(document, "get_dataset")["description"]


def _remove_example(document: Json) -> None:
    del _operation(document, "create_run")["requestBody"]["content"]["application/json"]["example"]


def _remove_location(document: Json) -> None:
    del _operation(document, "create_run")["responses"]["201"]["headers"]


def _remove_problem(document: Json) -> None:
    del _operation(document, "create_run")["responses"]["507"]


def _return_array(document: Json) -> None:
    _operation(document, "list_runs")["responses"]["200"]["content"]["application/json"]["schema"] = {"type": "array"}


def _remove_scheme(document: Json) -> None:
    del document["components"]["securitySchemes"]["cookie"]


VIOLATIONS: tuple[Callable[[Json], None], ...] = (
    _undescribe_field,
    _undescribe_parameter,
    _undescribe_operation,
    _remove_example,
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


@pytest.mark.slow
def test_every_description_and_example_of_the_tables_is_used(document: Json) -> None:
    schemas = document["components"]["schemas"]
    fields = {(name, field) for name, schema in schemas.items() for field in schema.get("properties", {})}
    assert {(name, field) for name, of_schema in FIELDS_OF.items() for field in of_schema} - fields == set()
    assert set(FIELDS) - {field for _, field in fields} == set()
    parameters = {
        each["name"] for _, _, operation in operations(document) for each in parameters_of(document, operation)
    }
    assert set(PARAMETERS) - parameters == set()
    bodies = {
        content["schema"].get("$ref", "").rpartition("/")[2]
        for _, _, operation in operations(document)
        for content in operation.get("requestBody", {}).get("content", {}).values()
    }
    assert set(EXAMPLES) - bodies == set()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_valid_body(name: str) -> None:
    model = next(
        getattr(module, name)
        for module in (datasets, jobs, system, samples, objects, object_export)
        if hasattr(module, name)
    )
    model.model_validate(EXAMPLES[name])

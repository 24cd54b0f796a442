"""The API document: schemas that no route returns, and parts that several operations share."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain, count
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

Json = dict[str, Any]  # Any: JSON values


def complete_document(app: FastAPI, complete: Callable[[Json], None]) -> None:
    """Let `complete` change the document when it is generated for the first time."""
    generate, lock, completed_once = app.openapi, threading.Lock(), list[Json]()

    def completed() -> Json:
        with lock:  # several first requests at a time
            if not completed_once:
                complete(document := generate())
                completed_once.append(document)
            return completed_once[0]

    app.openapi = completed  # type: ignore[method-assign]  # FastAPI's documented way


def add_schemas(document: Json, *described: type) -> None:
    """Add the schemas of types that no route returns, and of the types that they contain."""
    _, schemas = TypeAdapter.json_schemas(
        [(each.__name__, "serialization", TypeAdapter(each)) for each in described],
        ref_template="#/components/schemas/{model}",
    )
    all_schemas = document.setdefault("components", {}).setdefault("schemas", {})
    all_schemas |= {name: schema for name, schema in schemas["$defs"].items() if name not in all_schemas}


def share_parts(app: FastAPI) -> None:
    """Let operations of the API document refer to parameters and errors that several of them have."""

    def share(document: Json) -> None:
        parameters, errors = [], []
        for operation in chain.from_iterable(each.values() for each in document["paths"].values()):
            # Copies, because routes of other apps have the same ones.
            listed, responses = list(operation.get("parameters", [])), dict(operation["responses"])
            operation |= {"responses": responses, **({"parameters": listed} if listed else {})}
            parameters += [(listed, k, each["name"]) for k, each in enumerate(listed)]
            errors += [(responses, status, status) for status in responses if status >= "4"]
        for kind, places in (("parameters", parameters), ("responses", errors)):
            shared = document["components"][kind] = dict(document["components"].get(kind, {}))
            _share(shared, places, f"#/components/{kind}/")

    complete_document(app, share)


def _share(shared: Json, places: Sequence[tuple[Any, Any, str]], address: str) -> None:
    """Replace equal parts by references to `shared`.

    Args:
        shared: gets the parts that occur more than once, by name.
        places: the object or list that has the part, its key or position there, and a name for it.
        address: of `shared` in the document.
    """
    uses = defaultdict(list)
    for place in places:
        if "$ref" not in (part := place[0][place[1]]):
            uses[json.dumps(part, sort_keys=True)].append(place)
    for shape, of_part in uses.items():
        if len(of_part) == 1:
            continue
        title = of_part[0][2]
        name = next(each for each in chain((title,), (f"{title}-{k}" for k in count(2))) if each not in shared)
        shared[name] = json.loads(shape)
        for owner, key, _ in of_part:
            owner[key] = {"$ref": address + name}

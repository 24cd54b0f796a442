"""What several tests of the app need: small sets of images on disk, and the app before them."""

import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from coverslip.app.server import create_app
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.store.workspace import Workspace, open_workspace
from coverslip.workspace.viewing.images import DatasetImages, Filters

API = "/api/v1"


def workspace_in(folder: Path) -> Workspace:
    """A workspace in `folder` that may read everything in it."""
    return open_workspace(folder / "home", (folder,))


def in_lists(place: str) -> str:
    """The place of the images of a dataset, a prediction, a run or an evaluation, whose own place is given."""
    return re.sub(r"(^|/)(datasets|predictions|runs|evaluations)/", r"\1lists/", place)


def in_jobs(place: str) -> str:
    """The place of a run, an evaluation, an export, a study or a prediction among jobs of any kind."""
    return re.sub(r"(^|/)(runs|evaluations|exports|studies|predictions)/", r"\1jobs/", place)


def client_of(home: Workspace) -> TestClient:
    """The app before a workspace, without a network."""
    return TestClient(create_app(home), base_url="http://127.0.0.1")


def ids_at(home: Workspace, dataset_id: str, positions: Iterable[int]) -> list[str]:
    """The image_ids of the images that stand at these positions now."""
    listed = DatasetImages(home, dataset_id).page(Filters(), limit=2_000).items
    return [listed[position].image_id for position in positions]


def images_at(home: Workspace, dataset_id: str, positions: Iterable[int]) -> ImageSelection:
    """The images that stand at these positions now, for a change of them."""
    rows = DatasetImages(home, dataset_id).row_ids(Filters()).tolist()
    return ImageSelection(rows=[rows[position] for position in positions])


def positions_of(home: Workspace, dataset_id: str, filters: Filters) -> list[int]:
    """The positions of the matching images in the set, in the order of the filters."""
    place_of = {row: k for k, row in enumerate(DatasetImages(home, dataset_id).row_ids(Filters()).tolist())}
    return [place_of[row] for row in DatasetImages(home, dataset_id).row_ids(filters).tolist()]


class App:
    """The app as its pages use it: every call goes through the API."""

    def __init__(self, home: Workspace) -> None:
        self.home, self.client = home, client_of(home)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(f"{API}/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, f"{API}/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The problem that the app answers with."""
        answer = self.client.request(method, f"{API}/{path}", **({"json": body} if body is not None else more))
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        assert answer.json()["status"] == answer.status_code
        return answer.json()

    def preview(self, kind: str, dataset: str, **choices: Any) -> Any:
        """A preview of a dataset, by its ID or address."""
        dataset_id = dataset.removeprefix("datasets/")
        return self.send("POST", "previews", {"kind": kind, "dataset_id": dataset_id, **choices})

    def label(self, where: str, positions: Iterable[int], label: str | None) -> Any:
        """Give the images that stand there now a label."""
        return self.send("POST", f"{where}/changes", {"images": self.ids(where, positions), "label": label})

    def undo(self, change: int) -> Any:
        """Take a change back."""
        return self.send("POST", f"changes/{change}/undo")

    def ids(self, where: str, positions: Iterable[int]) -> list[str]:
        """The image_ids of the images that stand there now; `where` is such as datasets/ID."""
        return ids_at(self.home, where.removeprefix("datasets/"), positions)

    def rows(self, where: str, **query: Any) -> list[int]:
        """The row_ids of the matching images, in order; `where` is such as datasets/ID."""
        answer = self.client.get(f"{API}/{in_lists(where)}/row-ids", params=query)
        assert answer.status_code == 200, answer.text
        rows: list[int] = np.frombuffer(answer.content, "<u4").tolist()
        return rows

    def all_of(self, where: str, **filters: Any) -> dict[str, Any]:
        """The images that match now, for a change of them by filters; `where` is such as datasets/ID."""
        answer = self.client.get(f"{API}/{in_lists(where)}/row-ids", params=filters)
        assert answer.status_code == 200, answer.text
        n_listed = len(answer.content) // 4
        return {"filters": filters, "n_listed": n_listed, "digest": answer.headers["rows-digest"]}

    def positions(self, where: str, **query: Any) -> list[int]:
        """The positions of the matching images in the set, in the order of the query."""
        place_of = {row: k for k, row in enumerate(self.rows(where))}
        return [place_of[row] for row in self.rows(where, **query)]

    def image_ids(self, where: str, **query: Any) -> list[str]:
        """The image_ids of the matching images, at most 2,000, in order."""
        return [image["image_id"] for image in self.get(f"{in_lists(where)}/rows", limit=2_000, **query)["items"]]

    def open(self, *sources: Path, **choices: Any) -> Any:
        """Open a set and wait until it is read."""
        opened = self.send("POST", "datasets", {"sources": [{"path": str(source)} for source in sources], **choices})
        return self.wait(opened["id"])

    def wait(self, dataset_id: str) -> Any:
        """The set, once its images have been read."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            dataset = self.get(f"datasets/{dataset_id}")
            if dataset["state"] != "reading":
                return dataset
            time.sleep(0.02)
        raise AssertionError("the images were not read in time")

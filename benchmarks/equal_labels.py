"""Labels of the same images by each way to predict: command, Python, REST, app, and exports for other programs.

    python benchmarks/equal_labels.py [--count 2000] [--python PYTHON]

A classifier is trained on each of three sets in the folder of `COVERSLIP_DATA`: blood cells (color JPEG), micronuclei
(gray TIFF with 8 and 16 bits mixed) and cells of imaging flow cytometry (16-bit TIFF with three channels). Each way
then predicts the same files, a third of `--count` from each set. The reference is the table of `coverslip predict`.
`--python` is the Python of an environment without coverslip that has NumPy, Pillow, onnxruntime and bioimageio.core.
It runs `classify.py` of the ONNX export, and BioImage.IO core on the BioImage.IO export. Without it, `classify.py` runs
in this environment with coverslip blocked, and BioImage.IO core is left out. BioImage.IO core gets the pixels
of the function `read` of `classify.py`. The script prints a Markdown table of the numbers of equal labels, and exits
with 1 if a label differs.
"""

import argparse
import csv
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _records import Record
from fastapi.testclient import TestClient

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.events import ignore
from coverslip.workspace.store.workspace import open_workspace

RECORD = Record(
    "Equal labels by each way to predict",
    [f"src/coverslip/{name}" for name in ("inference", "images/preprocessing.py", "app", "workspace/predictions")],
)
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data")).resolve()
API = "/api/v1"
SETS = ("blood_pbc", "micronuclei", "cellcycle_jurkat_16bit")
RECIPE = cs.Recipe.model_validate({"stage": "instant", "image_size": 96, "split": {"folds": 0}})
MOST_TRAINED = 240  # images, about
_IMAGES_AT_ONCE = 200  # in a request
_BLOCKED = "import runpy, sys; sys.modules['coverslip'] = None; del sys.argv[0]\n"
_CLASSIFY = _BLOCKED + "runpy.run_path(sys.argv[0], run_name='__main__')"
_BIOIMAGEIO = (
    _BLOCKED
    + """
import csv
import numpy as np
from bioimageio.core import Tensor, create_prediction_pipeline, load_model_description, predict

folder, files = sys.argv[0], sys.argv[1:]
model = load_model_description(folder + "/rdf.yaml")
metadata = model.config.coverslip
read = runpy.run_path(folder + "/classify.py")["read"]
pixels = np.stack([read(file, metadata["preprocessing"]) for file in files])
table = csv.writer(sys.stdout)
table.writerow(["path", "predicted"])
pipeline = create_prediction_pipeline(model)
pipeline.load()  # not as a context: leaving it waits forever in bioimageio.core 0.11
for k in range(0, len(files), 64):
    inputs = Tensor(pixels[k : k + 64], dims=("batch", "y", "x", "channel"))
    outputs = predict(model=pipeline, inputs={"pixels": inputs})
    probabilities = np.asarray(outputs.members["probabilities"].data)
    scores = probabilities / (metadata["thresholds"]["operating_points"] or 1)
    for file, score in zip(files[k : k + 64], scores):
        table.writerow([file, metadata["classes"][int(score.argmax())]])
"""
)

Labels = dict[str, str | None]  # by the name of the file


def main() -> int:
    """Print the table, and return 1 if a label differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="images of all sets together")
    parser.add_argument("--python", help="Python of an environment without coverslip")
    RECORD.add_option(parser)
    options = parser.parse_args()
    print("| set | images | classes | " + " | ".join(WAYS) + " |")
    print("|---|---:|---:|" + "---:|" * len(WAYS))
    n_different = 0
    for k, name in enumerate(SETS):
        with tempfile.TemporaryDirectory() as folder:
            n = options.count * (k + 1) // len(SETS) - options.count * k // len(SETS)
            n_different += compare(name, n, Path(folder).resolve(), options.python)
    print(f"\n{n_different} labels differ.")
    n = f"{options.count:,} images, {len(WAYS) - 1 if options.python else len(WAYS) - 2} other ways"
    RECORD.add("Labels that differ from those of the command", n_different, n=n)
    RECORD.write()
    return int(n_different > 0)


def compare(name: str, n_images: int, folder: Path, other_python: str | None) -> int:
    """Train on a set, print its row, and return the number of labels that differ from those of the command."""
    table = DATA / name / "images.csv"
    data = cs.open_dataset(table if table.is_file() else DATA / name)
    data = data.subset(range(0, len(data.records), max(1, len(data.records) // MOST_TRAINED)))
    run = cs.train(data, RECIPE, out=folder / "run", emit=ignore)
    paths = sorted(DATA.joinpath(name).rglob("*.jpg")) + sorted(DATA.joinpath(name).rglob("*.tif"))
    images = folder / "new"
    images.mkdir()
    for k in range(min(n_images, len(paths))):  # spread evenly over the classes
        file = paths[k * len(paths) // n_images if n_images < len(paths) else k].resolve()
        (images / f"{k:04d}{file.suffix}").symlink_to(file)
    ways = Ways(run, images, folder, other_python)
    labels = dict[str, Labels | None]()
    for title in WAYS:
        start = time.perf_counter()
        labels[title] = getattr(ways, title)()
        print(f"{name}: {title}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    expected = labels["command"] or {}
    cells, n_different = [], 0
    for of_way in labels.values():
        if of_way is None:
            cells.append("not installed")
            continue
        different = [file for file in expected if of_way.get(file) != expected[file]]
        n_different += len(different)
        cells.append(f"{len(expected) - len(different)}")
        for file in different[:5]:
            print(f"{(images / file).resolve()}: {expected[file]} and {of_way.get(file)}", file=sys.stderr)
    print(f"| {name} | {len(expected)} | {len(ways.classifier.classes)} | {' | '.join(cells)} |", flush=True)
    return n_different


class Ways:
    """The ways to predict the images of a folder. Each returns None if its program is not installed."""

    def __init__(self, run: cs.Run, images: Path, folder: Path, other_python: str | None) -> None:
        self.run, self.images, self.folder, self.other_python = run, images, folder, other_python
        self.files = sorted(images.iterdir())
        self.classifier = cs.load_classifier(run, "cpu")
        self.exports = {to: cs.export(run, to=to, out=folder / to) for to in ("onnx", "bioimageio")}
        self.workspace = open_workspace(folder / "home", (folder, DATA))
        with TestClient(create_app(self.workspace)) as client:
            content = cs.export(run, out=folder / "classifier.coverslip").read_bytes()
            headers = {"Content-Type": "application/octet-stream"}
            self.imported = str(client.post(f"{API}/classifiers", content=content, headers=headers).json()["id"])

    def command(self) -> Labels:
        """Return the labels of `coverslip predict`."""
        out = self.folder / "command.csv"
        command = [sys.executable, "-m", "coverslip", "predict", str(self.run.folder), str(self.images)]
        subprocess.run([*command, "--out", str(out), "--device", "cpu"], check=True, capture_output=True)
        return _labels_in(out.read_text(encoding="utf-8"))

    def python(self) -> Labels:
        """Return the labels of `Classifier.predict`."""
        return {Path(row.path).name: row.predicted for row in self.classifier.predict(self.images)}

    def rest(self) -> Labels:
        """Return the labels of images that are sent to the app."""
        labels: Labels = {}
        with TestClient(create_app(self.workspace)) as client:
            for k in range(0, len(self.files), _IMAGES_AT_ONCE):
                files = [("files", (file.name, file.read_bytes())) for file in self.files[k : k + _IMAGES_AT_ONCE]]
                response = client.post(f"{API}/classifiers/{self.imported}/predict", files=files)
                labels |= {
                    each["path"]: each["predicted"] for each in response.raise_for_status().json()["predictions"]
                }
        return labels

    def app(self) -> Labels:
        """Return the labels of a prediction of the app, from the file that its page downloads."""
        with TestClient(create_app(self.workspace)) as client:
            body = {"classifier_id": self.imported, "sources": [str(self.images)]}
            job = f"{API}/jobs/{client.post(f'{API}/predictions', json=body).raise_for_status().json()['id']}"
            while client.get(job).json()["state"] in ("queued", "starting", "running"):
                time.sleep(0.5)
            return _labels_in(client.get(f"{job}/download/predictions").text)

    def classify(self) -> Labels:
        """Return the labels of `classify.py` of the ONNX export, without coverslip."""
        export = self.exports["onnx"]
        python = self.other_python or sys.executable
        return _run(python, _CLASSIFY, str(export / "classify.py"), str(export / "model.onnx"), *map(str, self.files))

    def bioimageio(self) -> Labels | None:
        """Return the labels of BioImage.IO core."""
        if self.other_python is None:
            return None
        return _run(self.other_python, _BIOIMAGEIO, str(self.exports["bioimageio"]), *map(str, self.files))


WAYS = ("command", "python", "rest", "app", "classify", "bioimageio")


def _run(python: str, code: str, *arguments: str) -> Labels:
    done = subprocess.run([python, "-I", "-c", code, *arguments], check=False, capture_output=True, text=True)
    if done.returncode:  # then no label is equal
        print(done.stderr, file=sys.stderr)
    return _labels_in(done.stdout)


def _labels_in(table: str) -> Labels:
    return {Path(row["path"]).name: row["predicted"] or None for row in csv.DictReader(io.StringIO(table))}


if __name__ == "__main__":
    sys.exit(main())

"""A script as somebody may write it, for type checkers: it uses all that `coverslip` offers, and is never run."""

from pathlib import Path
from typing import assert_type

import numpy as np

import coverslip as cs
from coverslip.errors import LeakageFound
from coverslip.events import EpochEnded, Event, Noted

# The first example of README.
data = cs.open_dataset("images/", group_pattern=r"slide\d+")
run = cs.train(data, cs.Recipe(model="efficientnet_lite0"), out="runs/first")
low = run.metrics["macro_f1"].low
classifier = cs.load_classifier("runs/first")
table = classifier.predict(["new/1.tif"])

assert_type(run, cs.Run)
assert_type(low, float | None)
assert_type([row.decision for row in table], list[str])
assert_type(classifier.classes, tuple[str, ...])

# Recipes: every key has a default.
recipe = cs.Recipe(stage="instant", seed=3, image_size=128, tta=2, epochs=5, group="patient")
assert_type(cs.Recipe.model_validate({"classes": {"drop": ["debris"]}}), cs.Recipe)
assert_type(cs.load_recipe("mine.yaml"), cs.Recipe)
assert_type(cs.Recipe().seed, int)

# Images in memory.
X, y = np.zeros((12, 64, 64), dtype=np.int64), ["round", "flat"] * 6
in_memory = cs.open_dataset((X, y))
assert_type(len(in_memory), int)
probabilities = classifier.predict_proba(X.astype(np.uint8)[..., np.newaxis])
print(probabilities.shape)


# Whatever takes a run takes a `Run`, a `Path` or a text.
def use(trained: cs.Run | Path | str) -> None:
    assert_type(cs.open_run(trained), cs.Run)
    assert_type(cs.evaluate(trained, data, name="again", device="cpu"), cs.Run)
    assert_type(cs.resume(trained, budget="10m"), cs.Run)
    assert_type(cs.decide(trained, "sensitivity", target=0.98), cs.Run)
    assert_type(cs.export(trained, to="zip", out="cells.coverslip"), Path)
    assert_type(cs.export(trained, to="onnx", out="cells"), Path)
    assert_type(cs.methods_text(trained), str)
    assert_type(cs.write_report(trained), Path)
    assert_type(cs.predict(trained, "new/", out="predictions.csv", prevalence={"round": 0.9}).decisions, dict[str, int])
    assert_type(cs.predict(trained, "t.csv", out="p.jsonl", format="jsonl", top_k=2, resume=True).file, Path)
    assert_type(cs.watch(trained, "new/", out="new.csv").decisions, dict[str, int])
    print(cs.load_classifier(trained), cs.label_errors(trained, out="labels.csv"))
    print(cs.explain([trained, run], ["new/1.tif"], out="maps").table)
    print(cs.summarise("predictions.csv", by="folder", run=trained).conditions)
    assert_type(cs.write_proportions_report(cs.summarise("predictions.csv", by="folder"), "report.html"), Path)
    print(cs.draw_spot_check("predictions.csv", n=10, by="folder", run=trained, out="to_label.csv").images)
    print(cs.agreement(["ada.csv", "grace.csv"], group="patient").pairs)
    print(cs.spot_check("predictions.csv", "to_label.csv", by="folder", run=trained).conditions)
    print(cs.compare([trained, run]).pairs, cs.distance([data, in_memory], run=trained).pairs)


# Before a training.
for finding in cs.inspect(data, recipe).findings:
    print(finding.severity, finding.code, finding.text, finding.do)
assert_type(cs.preview(data, recipe, out="preview.png", n=4), Path)


def listen(event: Event) -> None:
    match event:
        case EpochEnded(epoch=epoch, n_epochs=n_epochs, val_f1=f1):
            print(f"epoch {epoch} of {n_epochs}: {f1}")
        case Noted(text=text, level="warning"):
            print(text)
        case _:
            print(event)


try:
    cs.train(data, recipe, out=Path("runs/second"), emit=listen, allow_leakage=False, budget=600)
except LeakageFound as error:
    print(error.what, error.do)
except cs.CoverslipError as error:
    print(error)

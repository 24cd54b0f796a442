"""The widget for live labeling: label some objects of a labels layer, and coverslip predicts all others."""

from typing import Any

import napari
import numpy as np
import pandas as pd
from magicgui.widgets import Container, Label, LineEdit, PushButton, SpinBox, create_widget

from napari_coverslip.classifier import boxes_of, centers_of, channels_last

_N_AT_ONCE = 10  # objects of an order, before a new one


class LiveWidget(Container):
    """Label the selected points by the name of a class; the points of all objects show their predicted class.

    Labeled objects have a disc, predicted ones a ring. Nothing is stored but the columns of the labels layer.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._live: Any = None  # coverslip.audit.live.Live
        self._points: napari.layers.Points | None = None
        self._order: list[int] = []  # rows of objects to label next
        self.image = create_widget(label="Image", annotation=napari.layers.Image)
        self.objects = create_widget(label="Objects", annotation=napari.layers.Labels)
        self.crop_size = SpinBox(label="Crop size (pixels)", min=4, max=4096, value=80)
        self.start = PushButton(text="Start")
        self.class_name = LineEdit(label="Class")
        self.assign = PushButton(text="Label selected points", enabled=False)
        self.next = PushButton(text="Select the next object", enabled=False)
        self.state = Label(value="")
        for button, act in ((self.start, self._start), (self.assign, self._assign), (self.next, self._select_next)):
            button.clicked.connect(act)
        widgets = [self.image, self.objects, self.crop_size, self.start, self.class_name, self.assign, self.next]
        super().__init__(widgets=[*widgets, self.state])

    def _start(self) -> None:
        """Compute the features of all objects, and show a point for each."""
        import coverslip  # only for this widget
        from coverslip.inference.export.classify import crop

        image, objects = self.image.value, self.objects.value
        pixels, labels = channels_last(np.asarray(image.data), is_color=image.rgb), np.asarray(objects.data)
        if labels.shape != pixels.shape[:2]:
            raise ValueError("Image and objects differ in size. Choose the labels layer of this image.")
        boxes, plan = boxes_of(labels), {"crop_size": self.crop_size.value}
        self._numbers, crops = [*boxes], [crop(pixels, box, plan) for box in boxes.values()]
        if not crops:
            raise ValueError("The labels layer has no objects. Draw or segment objects first.")
        self._live = coverslip.live(crops, emit=lambda event: None)
        self._points = self._viewer.add_points(
            centers_of(boxes),
            name=f"Classes of {objects.name}",
            features=pd.DataFrame({"class": [""] * len(crops)}),
            text={"string": "{class}", "color": "yellow", "anchor": "upper_left"},
            size=6,
            scale=objects.scale,
        )
        self.assign.enabled = self.next.enabled = True
        self._show()
        self._select_next()

    def _assign(self) -> None:
        """Label the selected points, predict all others, and select the next object."""
        if self._points.selected_data and self.class_name.value.strip():
            names = [self._live.images.image_ids[row] for row in sorted(self._points.selected_data)]
            self._live.label(names, self.class_name.value)
            self._show()
            self._select_next()

    def _select_next(self) -> None:
        """Select the next object of an order of the least certain ones; every second one is of the random test set."""
        self._order = [row for row in self._order if self._live.labels[row] is None]
        self._order = self._order or self._live.least_certain()[:_N_AT_ONCE].tolist()
        self._points.selected_data = set(self._order[:1])

    def _show(self) -> None:
        rows = self._live.predict()
        names = [row.label or row.predicted or "" for row in rows]
        self._points.features = pd.DataFrame({"class": names})
        if any(names):
            self._points.face_color = "class"
        self._points.symbol = ["ring" if row.label is None else "disc" for row in rows]
        self._points.refresh_text()
        columns = {"label": [row.label or "" for row in rows], "predicted": [row.predicted or "" for row in rows]}
        self.objects.value.features = pd.DataFrame({"index": self._numbers, **columns})
        n, estimate = sum(row.label is not None for row in rows), self._live.estimate()
        interval = "" if estimate.low is None else f" ({estimate.low:.0%} to {estimate.high:.0%})"
        self.state.value = f"{n} labeled;\n{estimate.n_right} of {estimate.n} random test objects right{interval}"

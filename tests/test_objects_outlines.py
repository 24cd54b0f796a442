"""Outlines of objects: known answers, and label images and polygons that survive every round trip."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coverslip.objects.outlines import (
    OutlineBuilder,
    Outlines,
    fill_outlines,
    nested_rings,
    polygons_of_wkt,
    trace_labels,
)

Labels = npt.NDArray[np.integer]

LABELS = arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))
SQUARE = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)]


def outlines_of(*polygons: list[list[list[tuple[float, float]]]]) -> Outlines:
    builder = OutlineBuilder()
    for each in polygons:
        builder.add(each)
    return builder.finish()


def test_a_hole_is_no_part_of_the_area_whatever_the_direction_of_its_ring() -> None:
    hole = [(1.0, 1.0), (2.0, 1.0), (2.0, 3.0), (1.0, 3.0)]
    for outer in (SQUARE, SQUARE[::-1]):
        for inner in (hole, hole[::-1]):
            assert outlines_of([[outer, inner]]).areas().tolist() == [14]


def test_areas_boxes_and_polygons_of_known_shapes() -> None:
    triangle = [(0.0, 0.0), (6.0, 0.0), (0.0, 4.0)]
    far = [(100_000.5, 7.0), (100_002.5, 7.0), (100_002.5, 9.0), (100_000.5, 9.0)]
    outlines = outlines_of([[triangle]], [[far], [SQUARE]], [[[(3.0, 5.0)]]], [])
    assert outlines.areas()[:2].tolist() == [12, 20]
    assert np.isnan(outlines.areas()[2:]).all()
    assert outlines.n_polygons().tolist() == [1, 2, 0, 0]
    assert outlines.boxes()[0].tolist() == [0, 0, 6, 4]
    assert outlines.boxes()[2].tolist() == [3, 5, 3, 5]
    assert np.isnan(outlines.boxes()[3]).all()
    assert list(outlines.wkt())[2:] == ["POINT (3 5)", ""]


def test_pixels_that_touch_at_a_corner_are_two_polygons_of_one_object() -> None:
    labels, outlines = trace_labels(np.array([[5, 0], [0, 5]]))
    assert labels.tolist() == [5]
    assert outlines.n_polygons().tolist() == [2]
    assert list(outlines.wkt()) == ["MULTIPOLYGON (((0 0, 1 0, 1 1, 0 1, 0 0)), ((1 1, 2 1, 2 2, 1 2, 1 1)))"]


def test_an_object_in_the_hole_of_another_part_of_it_keeps_the_hole_at_its_ring() -> None:
    image = np.zeros((9, 9), np.uint8)
    image[1:8, 1:8] = 1
    image[2:7, 2:7] = 0
    image[4, 4] = 1
    image[0, 8] = 1
    (polygons,) = (trace_labels(image)[1].polygons(0),)
    assert sorted(map(len, polygons)) == [1, 1, 2]
    assert [len(each) for each in polygons if each[0].min() == 1] == [2]


@given(LABELS)
def test_outlines_of_labels_cover_exactly_their_pixels(image: Labels) -> None:
    labels, outlines = trace_labels(image)
    assert labels.tolist() == [label for label in np.unique(image).tolist() if label]
    assert outlines.areas().tolist() == [(image == label).sum() for label in labels]
    assert np.array_equal(fill_outlines(outlines, labels.astype(image.dtype), image.shape), image)


@given(LABELS)
def test_text_of_outlines_reads_back_equal(image: Labels) -> None:
    _, outlines = trace_labels(image)
    again = outlines_of(*map(polygons_of_wkt, outlines.wkt()))
    for name in ("xy", "ring_start", "object_start"):
        assert np.array_equal(getattr(again, name), getattr(outlines, name))


@pytest.mark.slow
@given(LABELS)
def test_rings_in_any_order_become_the_same_polygons(image: Labels) -> None:
    _, outlines = trace_labels(image)
    for position in range(len(outlines)):
        rings = [ring[::-1].tolist() for ring in outlines.rings(position)][::-1]
        nested = outlines_of(nested_rings(rings))
        assert nested.areas().tolist() == [outlines.areas()[position]]
        ones = np.ones(1, np.uint8)
        assert np.array_equal(
            fill_outlines(nested, ones, image.shape),
            fill_outlines(outlines.take(np.array([position])), ones, image.shape),
        )


def test_numbers_of_labels_can_be_large_and_far_apart() -> None:
    image = np.zeros((3, 3), np.int64)
    image[0, 0], image[2, 2] = 2**31 - 1, 7
    assert trace_labels(image)[0].tolist() == [7, 2**31 - 1]


def test_what_is_beyond_the_edge_is_not_filled() -> None:
    outlines = outlines_of([[[(-2.0, -2.0), (2.0, -2.0), (2.0, 9.0), (-2.0, 9.0)]]])
    filled = fill_outlines(outlines, np.array([3]), (4, 4))
    assert filled.tolist() == [[3, 3, 0, 0]] * 4


@pytest.mark.parametrize("text", ["LINESTRING (0 0, 1 1)", "POLYGON ((0 0, 1 1))", "POLYGON", "POINT (nan 1)", "x"])
def test_text_that_is_no_area_or_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        polygons_of_wkt(text)

"""The network of a classifier as one ONNX graph, from resized pixels to probabilities and OOD scores."""

from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.engines import FLIPPED
from coverslip.evaluation.ood import SHARE_OF_ALL
from coverslip.images.preprocessing import (
    CIE_BEND,
    LAB_MEAN,
    LAB_SD,
    LEAST_LAB_SD,
    RGB_TO_XYZ,
    SRGB_BEND,
    SRGB_OFFSET,
    SRGB_POWER,
    SRGB_SLOPE,
    XYZ_TO_LAB,
    Matching,
)
from coverslip.models.graphs import with_weights
from coverslip.runs.classifier import LARGEST_SCORE, ClassifierCard

if TYPE_CHECKING:
    from coverslip.inference.classifier import Classifier

OUTPUTS = ("probabilities", "logits", "features", "ood_score")


def deployed_graph(classifier: "Classifier") -> Any | None:  # Any: untyped, a model of ONNX
    """Return the graph of a classifier: colors, scaling, test-time augmentation, network, last layer, OOD score.

    (N, S, S, C) integer pixels `pixels` -> (N, K) probabilities, (N, K) logits, (N, D) features and, if the card has a
    reference, (N,) OOD scores: the outputs of `OUTPUTS` in this order.

    Returns:
        None if ONNX lacks an operation of the network.
    """
    import onnx

    filled = with_weights(classifier.backbone)
    if filled is None:
        return None
    network = onnx.compose.add_prefix(onnx.load_from_string(filled), "network/")
    card = classifier.card
    header = f'<ir_version: {network.ir_version}, opset_import: ["" : {network.opset_import[0].version}]>'
    before = onnx.parser.parse_model(header + _before(card))
    after = onnx.parser.parse_model(header + _after(card, classifier.backbone.n_features))
    head, statistics = classifier.read_head(), classifier.ood_statistics
    arrays = {"weight": head["head.weight"], "bias": head["head.bias"]}
    arrays |= statistics.arrays() if statistics is not None else {}
    after.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name) for name, array in arrays.items()
    )
    model = onnx.compose.merge_models(before, network, [("copies", "network/images")])
    return onnx.compose.merge_models(model, after, [("network/features", "of_copies")])


def _before(card: ClassifierCard) -> str:
    """Return the graph from pixels to the scaled copies of test-time augmentation, in ONNX's text format."""
    preprocessing = card.preprocessing
    side, top = preprocessing.image_size, np.iinfo(preprocessing.depth).max
    steps = []
    for copy in range(card.tta):
        source = "transposed" if copy >= 4 else "scaled"
        axes = FLIPPED[copy % 4]
        if axes:
            numbers = ", ".join(map(str, axes))
            ones, ends = ", ".join(["-1"] * len(axes)), ", ".join([str(-(2**31))] * len(axes))
            steps.append(
                f"from{copy} = Constant<value_ints = [{ones}]>() "
                f"to{copy} = Constant<value_ints = [{ends}]>() "
                f"axes{copy} = Constant<value_ints = [{numbers}]>() "
                f"copy{copy} = Slice({source}, from{copy}, to{copy}, axes{copy}, from{copy})"
            )
        else:
            steps.append(f"copy{copy} = Identity({source})")
    names = ", ".join(f"copy{copy}" for copy in range(card.tta))
    return f"""
    before ({preprocessing.depth}[n_images, {side}, {side}, {preprocessing.channels}] pixels)
    => (float[n_copies, {preprocessing.channels}, {side}, {side}] copies) {{
        numbers = Cast<to = 1>(pixels)
        top = Constant<value_float = {float(top)}>()
        {_matched_colors(preprocessing.matching or Matching())}
        channels_first = Transpose<perm = [0, 3, 1, 2]>(matched)
        scaled = Div(channels_first, top)
        transposed = Transpose<perm = [0, 1, 3, 2]>(scaled)
        {" ".join(steps)}
        copies = Concat<axis = 0>({names})
    }}"""


def _matched_colors(matching: Matching) -> str:
    """Return the steps of `Matching.colors` from `numbers` to `matched`, in ONNX's text format."""
    seen = "Sub(top, numbers)" if matching.is_inverted else "Identity(numbers)"
    if not matching.has_fixed_stain:
        return f"matched = {seen}"
    values = {
        "srgb_bend": SRGB_BEND * SRGB_SLOPE,
        "linear_bend": SRGB_BEND,
        "slope": SRGB_SLOPE,
        "srgb_offset": SRGB_OFFSET,
        "stretch": 1 + SRGB_OFFSET,
        "power": SRGB_POWER,
        "inverse_power": 1 / SRGB_POWER,
        "third": 1 / 3,
        "three": 3.0,
        "line_slope": 3 * CIE_BEND**2,
        "line_offset": 4 / 29,
        "xyz_bend": CIE_BEND**3,
        "root_bend": CIE_BEND,
        "least_sd": LEAST_LAB_SD,
        "none": 0.0,
        "all": 1.0,
    }
    arrays = {
        "to_xyz": RGB_TO_XYZ.T,
        "to_lab": XYZ_TO_LAB.T,
        "from_lab": np.linalg.inv(XYZ_TO_LAB).T,
        "from_xyz": np.linalg.inv(RGB_TO_XYZ).T,
        "fixed_mean": np.add(LAB_MEAN, (16, 0, 0)),  # of cube roots, from which 16 is not subtracted
        "fixed_sd": np.array(LAB_SD),
    }
    constants = [f"{name} = Constant<value_float = {float(value)!r}>()" for name, value in values.items()]
    constants += [
        f"{name} = Constant<value = float[{', '.join(map(str, array.shape))}] "
        f"{{{', '.join(repr(float(number)) for number in array.ravel())}}}>()"
        for name, array in arrays.items()
    ]
    return f"""{" ".join(constants)}
        seen = {seen}
        rgb = Div(seen, top)
        shifted = Add(rgb, srgb_offset)
        stretched = Div(shifted, stretch)
        curved = Pow(stretched, power)
        straight = Div(rgb, slope)
        is_curved = Greater(rgb, srgb_bend)
        linear = Where(is_curved, curved, straight)
        xyz = MatMul(linear, to_xyz)
        cube_roots = Pow(xyz, third)
        sloped = Div(xyz, line_slope)
        line = Add(sloped, line_offset)
        is_bright = Greater(xyz, xyz_bend)
        roots = Where(is_bright, cube_roots, line)
        lab = MatMul(roots, to_lab)
        of_pixels = Constant<value_ints = [1, 2]>()
        mean = ReduceMean(lab, of_pixels)
        deviations = Sub(lab, mean)
        squares = Mul(deviations, deviations)
        variance = ReduceMean(squares, of_pixels)
        any_sd = Sqrt(variance)
        sd = Max(any_sd, least_sd)
        ratio = Div(fixed_sd, sd)
        spread = Mul(deviations, ratio)
        fixed_lab = Add(spread, fixed_mean)
        fixed_roots = MatMul(fixed_lab, from_lab)
        cubes = Pow(fixed_roots, three)
        below = Sub(fixed_roots, line_offset)
        of_line = Mul(below, line_slope)
        is_cube = Greater(fixed_roots, root_bend)
        fixed_xyz = Where(is_cube, cubes, of_line)
        unlimited_rgb = MatMul(fixed_xyz, from_xyz)
        fixed_linear = Clip(unlimited_rgb, none, all)
        fixed_power = Pow(fixed_linear, inverse_power)
        fixed_stretched = Mul(fixed_power, stretch)
        fixed_curved = Sub(fixed_stretched, srgb_offset)
        fixed_straight = Mul(fixed_linear, slope)
        is_fixed_curved = Greater(fixed_linear, linear_bend)
        fixed_rgb = Where(is_fixed_curved, fixed_curved, fixed_straight)
        fixed_levels = Mul(fixed_rgb, top)
        matched = Round(fixed_levels)"""


def _after(card: ClassifierCard, n_features: int) -> str:
    """Return the graph from the features of copies to the outputs, in ONNX's text format, without weights."""
    n_classes, ood, score, type_of_score = len(card.classes), card.ood, "", ""
    if ood is not None:
        type_of_score = ", float[n_images] ood_score"
        score = f"""
        one = Constant<value_ints = [1]>()
        two = Constant<value_ints = [2]>()
        place = Gemm<transB = 1>(features, projection, offset)
        places = Unsqueeze(place, one)
        to_centers = Sub(places, centers)
        to_each = ReduceSumSquare<keepdims = 0>(to_centers, two)
        to_class = ReduceMin<keepdims = 0>(to_each, one)
        whitened = MatMul(place, background)
        to_all = ReduceSumSquare<keepdims = 0>(whitened, one)
        share = Constant<value_float = {SHARE_OF_ALL}>()
        part_of_all = Mul(to_all, share)
        distance = Sub(to_class, part_of_all)
        usual = Constant<value_float = {ood.usual!r}>()
        beyond = Sub(distance, usual)
        margin = Constant<value_float = {ood.limit - ood.usual!r}>()
        unlimited = Div(beyond, margin)
        lowest = Constant<value_float = {-LARGEST_SCORE}>()
        highest = Constant<value_float = {LARGEST_SCORE}>()
        ood_score = Clip(unlimited, lowest, highest)"""
    return f"""
    after (float[n_copies, {n_features}] of_copies)
    => (float[n_images, {n_classes}] probabilities, float[n_images, {n_classes}] logits,
        float[n_images, {n_features}] features{type_of_score}) {{
        by_copy = Constant<value_ints = [{card.tta}, -1, {n_features}]>()
        in_copies = Reshape(of_copies, by_copy)
        first = Constant<value_ints = [0]>()
        features = ReduceMean<keepdims = 0>(in_copies, first)
        logits = Gemm<transB = 1>(features, weight, bias)
        temperature = Constant<value_float = {card.temperature!r}>()
        divided = Div(logits, temperature)
        probabilities = Softmax<axis = 1>(divided)
        {score}
    }}"""

"""Make the graphs of the default network that are part of the package, and compare them with PyTorch.

A traced graph computes the padding of each image size with a dozen operations. The same padding is an attribute of
ONNX's convolution (SAME_UPPER), so that one graph serves every size.

    python benchmarks/packaged_graphs.py            # compare
    python benchmarks/packaged_graphs.py --write    # make them again first
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from _records import Record
from onnx import helper

from coverslip.engines import difference, fastest_engine
from coverslip.models.backbone import Architecture, Head
from coverslip.models.graphs import pretrained_backbone
from coverslip.models.networks import create_network, trace_graph

RECORD = Record(
    "Graphs in the package",
    ["src/coverslip/models/packaged_graphs", "src/coverslip/models/graphs.py", "src/coverslip/models/networks.py"],
)
FOLDER = Path("src/coverslip/models/packaged_graphs")
MODEL = "efficientnet_lite0"
HEADS: tuple[Head, ...] = ("multi_layer", "native")
SIZES, CHANNELS = (32, 48, 64, 97, 128, 224, 300, 512), (1, 2, 3, 5)


def size_independent(graph: bytes) -> bytes:
    """Return the graph with the padding as an attribute of convolutions, and without sizes of images."""
    model = onnx.load_from_string(graph)
    nodes = model.graph.node
    made_by = {name: node for node in nodes for name in node.output}
    for node in nodes:
        padding = made_by.get(node.input[0]) if node.op_type == "Conv" else None
        if padding is not None and padding.op_type == "Pad":
            node.input[0] = padding.input[0]
            attributes = [each for each in node.attribute if each.name != "pads"]
            del node.attribute[:]
            node.attribute.extend([*attributes, helper.make_attribute("auto_pad", "SAME_UPPER")])
    needed, stack = set[str](), [model.graph.output[0].name]
    while stack:
        name = stack.pop()
        if name in made_by and made_by[name].name not in needed:
            needed.add(made_by[name].name)
            stack += made_by[name].input
    kept_nodes = [node for node in nodes if node.name in needed]
    del nodes[:]
    nodes.extend(kept_nodes)
    del model.graph.value_info[:]
    for axis, name in ((1, "channels"), (2, "height"), (3, "width")):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    return model.SerializeToString()


def main() -> None:
    """Make the graphs if asked to, and record the largest difference from PyTorch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    RECORD.add_option(parser)
    arguments = parser.parse_args()
    rows = []
    for head in HEADS:
        if arguments.write:
            graph = trace_graph(Architecture(MODEL, head, 3, 224))
            assert graph is not None
            (FOLDER / f"{MODEL}.{head}.onnx").write_bytes(size_independent(graph))
        for channels in CHANNELS:
            for side in SIZES:
                architecture = Architecture(MODEL, head, channels, side)
                backbone = pretrained_backbone(architecture)
                network = create_network(MODEL, n_classes=2, head=head, channels=channels, image_size=side).eval()
                x = np.random.default_rng(side).random((1, channels, side, side), np.float32)
                with torch.inference_mode():
                    expected = network.features(torch.from_numpy(x)).numpy()
                rows.append({"head": head, "channels": channels, "side_px": side})
                rows[-1]["difference"] = difference(fastest_engine(backbone).run(x), expected)
                print(rows[-1], flush=True)
    largest = max(row["difference"] for row in rows)
    RECORD.add("Largest difference from PyTorch", float(f"{largest:.1e}"), "SD of features", n=len(rows))
    RECORD.write()


if __name__ == "__main__":
    main()

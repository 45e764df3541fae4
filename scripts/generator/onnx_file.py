"""A `layered` generator as an ONNX file: the same network in ONNX's own operations, the same bytes every time.

    python scripts/generator/onnx_file.py artmint/data/generator INTO

Written field by field (onnx.proto3's numbers), so that no exporter is needed and none can change the file. INTO gets
generator.onnx and config.json: a generator for `engine = "generator"`, painted by onnxruntime.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

from artmint.make.generators import CONFIG, GRAPH, Generator, load_generator

FLOAT, INT64 = 1, 7  # TensorProto.DataType
OPSET = 18


def varint(value: int) -> bytes:
    "A number, seven bits a byte."
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def text(number: int, value: str | bytes) -> bytes:
    "A field of bytes."
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def whole(number: int, value: int) -> bytes:
    "A field of a whole number."
    return varint(number << 3) + varint(value)


def tensor(name: str, values: np.ndarray) -> bytes:
    "A TensorProto: sizes, type, name, numbers."
    kind = INT64 if values.dtype.kind == "i" else FLOAT
    data = values.astype("<i8" if kind == INT64 else "<f4").tobytes()
    return b"".join(whole(1, size) for size in values.shape) + whole(2, kind) + text(8, name) + text(9, data)


def attribute(name: str, value: object) -> bytes:
    "An AttributeProto: a number, a text, or whole numbers."
    head = text(1, name)
    if isinstance(value, float):
        return head + varint(2 << 3 | 5) + struct.pack("<f", value) + whole(20, 1)
    if isinstance(value, str):
        return head + text(4, value) + whole(20, 3)
    if isinstance(value, int):
        return head + whole(3, value) + whole(20, 2)
    return head + b"".join(whole(8, one) for one in value) + whole(20, 7)


def node(kind: str, inputs: list[str], output: str, **attributes: object) -> bytes:
    "A NodeProto."
    parts = [text(1, name) for name in inputs] + [text(2, output), text(4, kind)]
    return b"".join(parts + [text(5, attribute(*pair)) for pair in attributes.items()])


def value_info(name: str, sizes: tuple) -> bytes:
    "A ValueInfoProto of floats."
    shape = b"".join(text(1, whole(1, size)) for size in sizes)
    return text(1, name) + text(2, text(1, whole(1, FLOAT) + text(2, shape)))


class Writer:
    "Operations one after another, each output a new name."

    def __init__(self, tensors: dict[str, np.ndarray]):
        self.weights, self.nodes, self.count = dict(tensors), [], 0

    def constant(self, values: list) -> str:
        "A constant's name."
        self.count += 1
        array = np.array(values)
        self.weights[f"c{self.count}"] = array if array.dtype.kind == "i" else array.astype(np.float32)
        return f"c{self.count}"

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        "An operation; its output's name."
        self.count += 1
        self.nodes.append(node(kind, list(inputs), f"x{self.count}", **attributes))
        return f"x{self.count}"

    def linear(self, x: str, name: str) -> str:
        "A fully connected layer."
        return self.add("Gemm", x, f"{name}.weight", f"{name}.bias", transB=1)

    def conv(self, x: str, name: str) -> str:
        "A convolution of three by three."
        return self.add("Conv", x, f"{name}.weight", f"{name}.bias", pads=[1, 1, 1, 1], kernel_shape=[3, 3])

    def leaky(self, x: str) -> str:
        "The rectifier."
        return self.add("LeakyRelu", x, alpha=0.2)

    def reshape(self, x: str, *sizes: int) -> str:
        "Another shape."
        return self.add("Reshape", x, self.constant(list(sizes)))

    def styled(self, x: str, style: str, name: str, channels: int) -> str:
        "A level, scaled and shifted by the style."
        both = self.reshape(self.linear(style, name), 1, 2, channels, 1, 1)
        scale = self.add("Gather", both, self.constant(0), axis=1)
        shift = self.add("Gather", both, self.constant(1), axis=1)
        wider = self.add("Add", scale, self.constant([1.0]))
        return self.leaky(self.add("Add", self.add("Mul", x, wider), shift))


def graph_of(generator: Generator) -> bytes:
    "An ONNX model (ModelProto) of a `layered` generator, for one picture at a time."
    config = generator.config
    channels = config.channels
    writer = Writer({name: values.numpy() for name, values in generator.tensors.items()})
    style = writer.add("Concat", "latent", "condition", axis=1) if config.words else "latent"
    for i in range(3):
        style = writer.leaky(writer.linear(style, f"map.{i}"))
    x = writer.reshape(writer.linear(style, "start"), 1, channels[0], 4, 4)
    levels = len(channels) - 2
    for i in range(levels):
        scales = writer.constant([1.0, 1.0, 2.0, 2.0])
        x = writer.add(
            "Resize",
            x,
            "",
            scales,
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )
        x = writer.styled(writer.conv(x, f"convs.{i}"), style, f"styles.{i}", channels[i + 1])
    x = writer.add("DepthToSpace", writer.conv(x, "shuffle"), blocksize=2, mode="CRD")
    x = writer.styled(x, style, f"styles.{levels}", channels[-1])
    seen = writer.reshape(writer.add("Softmax", writer.conv(x, "masks"), axis=1), config.layers, -1)
    colours = writer.reshape(writer.add("Tanh", writer.linear(style, "colours")), config.layers, 3)
    laid = writer.add("MatMul", writer.add("Transpose", colours, perm=[1, 0]), seen)
    writer.nodes.append(
        node("Reshape", [laid, writer.constant([1, 3, config.height, config.width])], "image")
    )
    inputs = [("latent", (1, config.latent))] + [("condition", (1, config.condition))] * bool(config.words)
    graph = b"".join(text(1, one) for one in writer.nodes) + text(2, "generator")
    graph += b"".join(text(5, tensor(name, values)) for name, values in sorted(writer.weights.items()))
    graph += b"".join(text(11, value_info(*one)) for one in inputs)
    graph += text(12, value_info("image", (1, 3, config.height, config.width)))
    return whole(1, 8) + text(2, "artmint") + text(7, graph) + text(8, whole(2, OPSET))


def write_graph(source: str, into: Path) -> None:
    "A folder with the same generator as a graph."
    generator = load_generator(source)
    facts = generator.config.model_dump(mode="json", exclude_defaults=True)
    facts = {name: value for name, value in facts.items() if name not in ("channels", "style", "layers")}
    into.mkdir(parents=True, exist_ok=True)
    (into / GRAPH).write_bytes(graph_of(generator))
    (into / CONFIG).write_text(json.dumps(facts | {"network": "onnx"}, indent=1) + "\n")


if __name__ == "__main__":
    write_graph(sys.argv[1], Path(sys.argv[2]))

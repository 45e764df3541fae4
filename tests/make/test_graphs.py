"ONNX files: plain graphs are read, and what could name more than numbers is refused before anything runs."

import sys

import numpy as np
import pytest

from artmint.make import graphs
from artmint.make.generators import load_generator
from artmint.make.graphs import OPERATIONS, NoOnnx, NotAGraph, onnx_version, read_graph, refuse_graph
from tests.generators import LAYERED, as_graph, script, written

ONNX = script()
text, whole = ONNX.text, ONNX.whole
needs_onnx = pytest.mark.skipif(
    not onnx_version(), reason="onnxruntime isn't installed: pip install 'artmint[onnx]'"
)


def model(*nodes: bytes, graph: bytes = b"", beside: bytes = b"") -> bytes:
    "A model of these operations, with more in its graph, and beside it."
    rows = b"".join(text(1, node) for node in nodes)
    rows += text(11, ONNX.value_info("x", (1, 2))) + text(12, ONNX.value_info("y", (1, 2)))
    return whole(1, 8) + text(7, text(2, "g") + rows + graph) + text(8, whole(2, 18)) + beside


def node(kind: str, more: bytes = b"") -> bytes:
    return ONNX.node(kind, ["x"], "y") + more


TENSOR = text(8, "w") + whole(1, 1) + whole(2, 1)
REFUSED = {
    "empty": (b"", "no ONNX file"),
    "text": (b"this is no model", "it"),
    "pickle": (b"\x80\x04\x95\x10\x00\x00\x00", "it"),
    "no operations": (model(), "0 operations"),
    "dice": (model(node("RandomNormalLike")), "RandomNormalLike"),
    "dropout": (model(node("Dropout")), "Dropout"),
    "a loop": (model(node("Loop")), "Loop"),
    "another maker's": (model(node("Tanh", text(7, "com.evil"))), "com.evil.Tanh"),
    "a branch": (model(node("Tanh", text(5, text(1, "body") + text(6, b"")))), "loops or branches"),
    "weights elsewhere": (
        model(node("Tanh"), graph=text(5, TENSOR + text(13, text(1, "location")))),
        "another file",
    ),
    "a place elsewhere": (model(node("Tanh"), graph=text(5, TENSOR + whole(14, 1))), "another file"),
    "a constant elsewhere": (
        model(node("Constant", text(5, text(1, "value") + text(5, TENSOR + whole(14, 1))))),
        "another file",
    ),
    "sparse weights": (model(node("Tanh"), graph=text(15, b"")), "sparse"),
    "functions": (model(node("Tanh"), beside=text(25, b"")), "functions"),
    "two graphs": (model(node("Tanh"), beside=text(7, text(1, node("Tanh")))), "no ONNX file"),
    "a broken name": (model(ONNX.node("Tanh", ["x"], "y")[:-4] + b"\xff\xff\xff\xff"), "names are broken"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_plain_graph_is_refused_unrun(tmp_path, monkeypatch, name):
    data, reason = REFUSED[name]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "g.onnx").write_bytes(data)
    with pytest.raises(NotAGraph, match=reason):
        read_graph(tmp_path / "g.onnx")


def test_a_file_cut_or_changed_anywhere_is_read_or_refused_and_nothing_else(tmp_path):
    data = model(node("Tanh"), graph=text(5, TENSOR + text(9, b"\0\0\0\0")))
    refuse_graph(tmp_path, data)
    rng = np.random.default_rng(0)
    for at in range(len(data)):
        for changed in (data[:at], data[:at] + bytes([rng.integers(256)]) + data[at + 1 :]):
            try:
                refuse_graph(tmp_path, changed)
            except NotAGraph:
                pass


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path, monkeypatch):
    with pytest.raises(NotAGraph, match="no such file"):
        read_graph(tmp_path / "none.onnx")
    monkeypatch.setattr(graphs, "GRAPH_LIMIT", 3)
    (tmp_path / "g.onnx").write_bytes(model(node("Tanh")))
    with pytest.raises(NotAGraph, match="larger than 3"):
        read_graph(tmp_path / "g.onnx")


def test_no_operation_of_chance_is_let_through():
    chance = {
        "RandomNormal",
        "RandomUniform",
        "RandomNormalLike",
        "RandomUniformLike",
        "Multinomial",
        "Bernoulli",
    }
    assert not OPERATIONS & (chance | {"Dropout", "If", "Loop", "Scan", "SequenceMap"})


def test_without_onnxruntime_it_is_said_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "g.onnx").write_bytes(model(node("Tanh")))
    monkeypatch.setattr(graphs, "find_spec", lambda name: None)
    with pytest.raises(NoOnnx, match=r"artmint\[onnx\]") as refused:
        read_graph(tmp_path / "g.onnx").session
    assert refused.value.exit_code == 3 and onnx_version() == ""


@needs_onnx
def test_a_plain_graph_runs_on_one_thread(tmp_path):
    (tmp_path / "g.onnx").write_bytes(model(node("Tanh")))
    graph = read_graph(tmp_path / "g.onnx")
    given = np.array([[0.5, -2.0]], np.float32)
    assert np.allclose(graph.run({"x": given}), np.tanh(given), atol=1e-6)
    assert graph.inputs() == {"x": ("tensor(float)", [1, 2])}
    assert graph.session.get_session_options().intra_op_num_threads == 1
    with pytest.raises(NotAGraph, match="onnxruntime says"):
        graph.run({"x": given.reshape(2, 1)})
    (tmp_path / "g.onnx").write_bytes(model(ONNX.node("Conv", ["x"], "y")))
    with pytest.raises(NotAGraph, match="onnxruntime says"):
        read_graph(tmp_path / "g.onnx").inputs()


@needs_onnx
def test_the_same_network_is_written_into_the_same_bytes(tmp_path):
    folder = written(tmp_path / "g", LAYERED)
    one = (as_graph(folder, tmp_path / "a") / "generator.onnx").read_bytes()
    assert one == (as_graph(folder, tmp_path / "b") / "generator.onnx").read_bytes()
    assert load_generator(tmp_path / "a").graph.session

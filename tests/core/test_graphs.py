"ComfyUI's graphs, followed from the picture back, whatever they are."

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artmint.core.graphs import NODES, canvas_origin, graph_origin
from tests.elsewhere import PROMPT, canvas, comfy, node

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)


def _nested(inner):
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)


JSON = st.recursive(LEAVES, _nested, max_leaves=20)
KINDS = ("KSampler", "CLIPTextEncode", "SaveImage", "LoraLoader", "Reroute", "SamplerCustomAdvanced")
NAMES = (
    "model",
    "positive",
    "negative",
    "latent_image",
    "seed",
    "steps",
    "text",
    "images",
    "guider",
    "noise",
    "sigmas",
)
LINKED = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.integers(0, 5).map(str), st.just(0)).map(list) | JSON
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.integers(0, 5).map(str),
        st.builds(lambda kind, inputs: node(kind, **inputs), st.sampled_from(KINDS), LINKED),
    )
)
def test_graphs_of_any_form_are_followed_to_an_end(graph):
    origin = graph_origin(graph)
    assert origin is None or origin.tool == "ComfyUI"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(JSON)
def test_what_is_no_graph_is_none_or_says_nothing(value):
    for read in (graph_origin, canvas_origin):
        origin = read(value)
        assert origin is None or not origin.prompt


def test_other_samplers_on_the_canvas_do_not_count():
    graph = comfy(seed=1)
    graph["90"] = node(
        "KSampler",
        seed=2,
        steps=9,
        positive=["6", 0],
        negative=["7", 0],
        latent_image=["5", 0],
        model=["4", 0],
    )
    assert graph_origin(graph).seed == 1


def test_a_muted_node_of_the_canvas_does_not_count():
    table = canvas()
    table["nodes"].append({"id": 80, "type": "SaveImage", "mode": 2, "widgets_values": [], "inputs": []})
    assert canvas_origin(table).prompt == PROMPT


@pytest.mark.slow
def test_graphs_have_a_limit():
    assert graph_origin({str(number): node("X") for number in range(NODES + 1)}) is None
    chain = {str(number): node("Reroute", value=[str(number + 1), 0]) for number in range(NODES - 1)}
    assert graph_origin(chain | {"s": node("SaveImage", images=["0", 0])}).prompt == ""

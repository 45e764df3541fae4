"ComfyUI's workflows: which nodes a picture needs, where a recipe's fields go, what is refused before a server is asked."

import json

import pytest

from artmint.core.collection import InconsistentCollection, Workflow
from artmint.core.records import Recipe
from artmint.make.workflows import (
    BadWorkflow,
    filled,
    guess_inputs,
    model_names,
    output_node,
    read_plan,
    read_workflow,
    table_lines,
)
from artmint.seeds import load_collection
from tests.hosts import TINY
from tests.workflows import GRAPHS, SIMPLE, node


def guessed(graph: dict) -> tuple[dict, list[str]]:
    "The table of a graph."
    read = read_workflow(json.dumps(graph), "w.json")
    return guess_inputs(read, output_node(read, "w.json"))


def planned(graph: dict = SIMPLE, **changes):
    "A plan with the guessed table, and what is said otherwise."
    table = {own: tuple(places) for own, places in guessed(graph)[0].items()}
    return read_plan(Workflow(**{"file": "w.json", "graph": json.dumps(graph), "inputs": table} | changes))


@pytest.mark.parametrize("name", GRAPHS)
def test_a_common_graph_has_the_table_that_people_would_write(name):
    graph, table, remarks = GRAPHS[name]
    assert guessed(graph) == (table, remarks)


def test_links_by_numbers_are_followed_like_those_by_names():
    def by_number(value):
        return [int(value[0]), value[1]] if isinstance(value, list) else value

    graph, table, remarks = GRAPHS["simple"]
    numbered = {
        name: node(one["class_type"], **{key: by_number(value) for key, value in one["inputs"].items()})
        for name, one in graph.items()
    }
    assert guessed(numbered) == (table, remarks)


def test_the_editors_own_format_is_refused_with_the_words_how_to_export():
    with pytest.raises(BadWorkflow, match=r"Workflow, Export \(API\)"):
        read_workflow('{"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4}', "w.json")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("{", "no JSON"),
        ("[]", "no nodes"),
        ("{}", "no nodes"),
        ('{"3": {"inputs": {}}}', "class_type"),
        ('{"3": {"class_type": "KSampler"}}', "inputs"),
        ('{"prompt": {"3": {"class_type": "KSampler", "inputs": {}}}}', "class_type"),
    ],
)
def test_what_is_no_workflow_is_refused(text, reason):
    with pytest.raises(BadWorkflow, match=reason):
        read_workflow(text, "w.json")


def without(*names: str, **more) -> dict:
    "The simple graph without nodes, and with others."
    return {name: one for name, one in SIMPLE.items() if name not in names} | more


def test_a_picture_that_is_saved_is_taken_and_else_the_one_that_is_previewed():
    preview = node("PreviewImage", images=["8", 0])
    assert output_node(read_workflow(json.dumps(without(p=preview)), "w"), "w") == "9"
    assert output_node(read_workflow(json.dumps(without("9", p=preview)), "w"), "w") == "p"
    with pytest.raises(BadWorkflow, match="no node saves a picture"):
        output_node(without("9"), "w")
    twice = without(b=node("SaveImage", images=["8", 0], filename_prefix="b"))
    with pytest.raises(BadWorkflow, match=r"SaveImage stands in it 2 times \(9, b\)"):
        output_node(twice, "w")
    assert output_node(twice, "w", "b") == "b"
    with pytest.raises(BadWorkflow, match="output names node '77'"):
        output_node(twice, "w", "77")


def test_what_a_picture_does_not_need_is_not_sent_and_changes_no_digest():
    second = {"20": node("KSampler", **SIMPLE["3"]["inputs"]), "21": node("PreviewImage", images=["20", 0])}
    plan = planned(SIMPLE | second)
    assert set(plan.graph) == set(SIMPLE)
    assert plan.digest == planned().digest


def changed(place: str, value) -> dict:
    "The simple graph with another value."
    name, key = place.split(".")
    graph = json.loads(json.dumps(SIMPLE))
    graph[name]["inputs"][key] = value
    return graph


@pytest.mark.parametrize(
    "place, value, same",
    [
        ("6.text", "another prompt", True),
        ("3.seed", 1 << 60, True),
        ("3.steps", 50, True),
        ("5.width", 1024, True),
        ("9.filename_prefix", "elsewhere", True),
        ("3.scheduler", "karras", False),  # what `schedule = "own"` leaves there
        ("3.denoise", 0.7, False),
        ("4.ckpt_name", "other.safetensors", False),
    ],
)
def test_the_digest_covers_what_no_recipe_says(place, value, same):
    assert (planned(changed(place, value)).digest == planned().digest) == same


def test_the_digest_covers_what_models_are_said_to_be_and_the_table():
    sums = {"riso.safetensors": "a" * 64}
    assert planned(models=sums).digest != planned().digest
    with pytest.raises(BadWorkflow, match="silk.safetensors"):
        planned(models={"silk.safetensors": "a" * 64})
    fewer = {own: tuple(places) for own, places in guessed(SIMPLE)[0].items() if own != "steps"}
    assert planned(inputs=fewer).digest != planned().digest
    assert model_names(SIMPLE) == ["riso.safetensors"]


def test_a_seed_beyond_what_json_holds_exactly_still_has_a_digest():
    table = {own: tuple(places) for own, places in guessed(SIMPLE)[0].items() if own != "seed"}
    graph = changed("3.seed", 2**64 - 1) | {"30": node("Noise", seed=1)}
    graph["5"]["inputs"]["noise"] = ["30", 0]
    plan = planned(graph, inputs=table | {"seed": ("30.seed",)})
    assert plan.digest != planned(changed("3.seed", 2**64 - 2), inputs=table | {"seed": ("5.width",)}).digest


@pytest.mark.parametrize(
    "inputs, reason",
    [
        ({"promt": ["6.text"]}, "is it 'prompt'"),
        ({"prompt": ["66.text"]}, "no node '66'"),
        ({"prompt": ["6.words"]}, "has no input 'words'; it has text, clip"),
        ({"prompt": ["3.positive"]}, "comes from node '6'; name an input there"),
        ({"steps": []}, "steps goes nowhere"),
        ({"prompt": []}, "no input takes the prompt"),
    ],
)
def test_a_wrong_table_is_refused_with_the_right_words(inputs, reason):
    table = {own: tuple(places) for own, places in (guessed(SIMPLE)[0] | inputs).items()}
    with pytest.raises(BadWorkflow, match=reason):
        planned(inputs=table)


def test_a_workflow_without_a_seed_or_with_a_batch_is_refused():
    with pytest.raises(BadWorkflow, match="no input takes the seed"):
        planned(inputs={"prompt": ("6.text",)})
    with pytest.raises(BadWorkflow, match="5.batch_size is 4; a seed has one picture"):
        planned(changed("5.batch_size", 4))


def test_a_recipe_is_written_into_its_places_and_nothing_else_changes():
    plan = planned()
    words = "zwei Hügel 山 🌋, (night:1.2)"
    fields = {"seed": 2**32 - 1, "steps": 9, "guidance": 4.5, "scheduler": "ddim", "negative_prompt": "blur"}
    recipe = Recipe(base=plan.digest, prompt=words, width=256, height=128, engine="comfyui", **fields)
    graph = filled(plan, recipe, "artmint/x")
    expected = json.loads(json.dumps(plan.graph))
    expected["6"]["inputs"]["text"], expected["7"]["inputs"]["text"] = words, "blur"
    expected["3"]["inputs"] |= {"seed": 2**32 - 1, "steps": 9, "cfg": 4.5, "sampler_name": "ddim"}
    expected["5"]["inputs"] |= {"width": 256, "height": 128}
    expected["9"]["inputs"]["filename_prefix"] = "artmint/x"
    assert graph == expected
    spaced = filled(plan, recipe.model_copy(update={"schedule": "karras"}), "")
    assert spaced["3"]["inputs"]["scheduler"] == "karras"


def collection(tmp_path, more: str, generation: str = 'engine = "comfyui"\n') -> object:
    "The tiny collection, painted by ComfyUI."
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "w.json").write_text(json.dumps(SIMPLE))
    text = (TINY / "collection.toml").read_text().replace('profile = "portable"\n', generation)
    (folder / "collection.toml").write_text(text + more)
    return load_collection(folder)


def test_a_collection_is_read_with_its_workflow(tmp_path):
    graph = read_workflow(json.dumps(SIMPLE), "w.json")
    chosen = collection(tmp_path, "\n" + table_lines("w.json", *guess_inputs(graph, "9")))
    assert read_plan(chosen.workflow).digest == planned().digest
    before = chosen.digest
    (tmp_path / "tiny" / "w.json").write_text(json.dumps(changed("3.denoise", 0.5)))
    assert load_collection(tmp_path / "tiny").digest != before


@pytest.mark.parametrize(
    "more, generation, reason",
    [
        ("", 'engine = "comfyui"\n', "name its file under"),
        ('[workflow]\nfile = "w.json"\n', "", "only engine = .comfyui."),
        ('[workflow]\nfile = "none.json"\n', 'engine = "comfyui"\n', "can't be read"),
        ('[workflow]\nfile = "../w.json"\n', 'engine = "comfyui"\n', "outside the collection"),
        ('[workflow]\nfile = "w.json"\n', 'engine = "comfyui"\nbase = "riso"\n', "generation.base"),
        ('[workflow]\nfile = "w.json"\ngraph = "{}"\n', 'engine = "comfyui"\n', "workflow.graph"),
        ('[workflow]\nfile = "w.json"\n', 'engine = "comfy"\n', "generation.engine"),
    ],
)
def test_a_collection_that_contradicts_its_engine_is_refused(more, generation, reason, tmp_path):
    with pytest.raises(InconsistentCollection, match=reason):
        collection(tmp_path, "\n" + more, generation)


def test_the_table_is_toml_and_comes_back_as_it_was(tmp_path):
    import tomllib

    table, remarks = guessed(GRAPHS["two samplers"][0])
    lines = tomllib.loads(table_lines("Hügel.json", table, remarks, "9"))["workflow"]
    assert lines == {"file": "Hügel.json", "output": "9", "inputs": table}

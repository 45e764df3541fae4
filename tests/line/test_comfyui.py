"A drop by a real ComfyUI, killed and killed again; and how its pictures compare with those of artmint's own engine."

import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artmint.core.collection import Workflow
from artmint.core.manifest import read_manifest
from artmint.core.records import AdapterUse, Recipe
from artmint.ipfs.car import check_car, open_car
from artmint.ipfs.stores import FolderStore
from artmint.make.base import load_base
from artmint.make.comfyui import ComfyServer, ComfyUI, EngineLacks
from artmint.make.comparison import apart
from artmint.make.engines import with_progress
from artmint.make.render import render
from artmint.make.workflows import guess_inputs, output_node, read_plan, read_workflow, table_lines
from artmint.pin import publish
from artmint.prove.evidence import Archive, ChainDrop
from artmint.prove.regenerate import regenerate_tokens
from artmint.prove.tokens import check_token_files
from artmint.publish.weights import weights_archive
from artmint.studio.catalog import Catalog
from tests.adapters import kohya, layers, packed, random_lora
from tests.comfyui import CHECKPOINT, Comfy, Line, pipeline_folder
from tests.services import make
from tests.workflows import FROM_PICTURE, GRAPHS, SIMPLE, TWO_SAMPLERS, node

pytestmark = pytest.mark.slow

COLLECTION = """
name = "served"
title = "Served"
description = "Sixteen small pictures by somebody's own ComfyUI."
supply = 16
license = "CC0-1.0"
salt = "served"
template = "{motif}, zwei Hügel 山"
publish_weights = true

[traits.motif]
rings = 8
waves = 8

[generation]
engine = "comfyui"
scheduler = "euler"
steps = 2
width = 64
height = 64
attempts = 1
"""
DRIVER = """
import sys
from artmint.run.sample import sample_studio
from artmint.seeds import load_collection
sample_studio(sys.argv[1], load_collection(sys.argv[2]), "packed", 1, 16)
"""


def with_checkpoint(graph: dict) -> dict:
    "A graph that loads the tests' own model."
    return graph | {"4": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT)}


@pytest.fixture(scope="module")
def comfy(tmp_path_factory):
    server = Comfy(tmp_path_factory.mktemp("comfy"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    "A collection that ComfyUI paints."
    folder = tmp_path_factory.mktemp("collections") / "served"
    folder.mkdir()
    text = json.dumps(with_checkpoint(SIMPLE))
    (folder / "hill.json").write_text(text)
    table = table_lines("hill.json", *guess_inputs(read_workflow(text, "hill.json"), "9"))
    (folder / "collection.toml").write_text(f"{COLLECTION}\n{table}\n")
    return folder


def studio_of(folder: Path, comfy: Comfy) -> Path:
    "A studio that names the server."
    folder.mkdir(exist_ok=True)
    (folder / "studio.toml").write_text(f'[engines.gpu]\nkind = "comfyui"\nurl = "{comfy.url}"\n')
    return folder


def driver(studio: Path, collection: Path) -> subprocess.Popen:
    "Who paints and packs."
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(studio), str(collection)], stdout=subprocess.DEVNULL
    )


def painted(studio: Path) -> int:
    "How many pictures a studio has."
    there = (studio / "catalog.sqlite").exists()
    return len(Catalog(studio).keys("artifact")) if there else 0


def wait_for(studio: Path, count: int, process: subprocess.Popen) -> None:
    "Until so many pictures are there."
    while painted(studio) < count:
        assert process.poll() is None, process.returncode
        time.sleep(0.1)


def files_of(comfy: Comfy) -> int:
    "How many pictures the server wrote."
    return len(list((comfy.folder / "output").rglob("*.png")))


@pytest.fixture(scope="module")
def calm(comfy, served, tmp_path_factory):
    "A studio whose drop was painted without a disturbance."
    studio = studio_of(tmp_path_factory.mktemp("calm"), comfy)
    assert driver(studio, served).wait() == 0
    return studio


def test_a_drop_of_sixteen_with_server_and_driver_killed_is_the_undisturbed_one(
    comfy, served, calm, tmp_path
):
    rough = studio_of(tmp_path / "rough", comfy)
    comfy.kill()  # its history is gone with it
    shutil.rmtree(comfy.folder / "output")
    comfy.start()
    first = driver(rough, served)
    wait_for(rough, 4, first)
    comfy.kill()
    comfy.start()
    wait_for(rough, 9, first)
    first.kill()
    first.wait()
    assert painted(rough) < 16
    assert driver(rough, served).wait() == 0
    drops = [(studio / "drops" / "served-1" / "drop.json").read_bytes() for studio in (calm, rough)]
    assert drops[0] == drops[1]
    assert len(json.loads(drops[0])["tokens"]) == 16
    assert painted(rough) == 16
    assert files_of(comfy) <= 17  # one may have been lost with the server


def steps_of(studio: Path, given: str) -> list:
    "What is said of a drop's pictures, painted again."
    packed = studio / "drops" / "served-1"
    manifest = read_manifest((packed / "drop.json").read_bytes())
    car = open_car(packed / "drop.car")
    claimed = ChainDrop(manifest.first, manifest.quantity, bytes(32), car.roots[0])
    archive = Archive(claimed, car, check_car(car, car.roots[0]))
    store = FolderStore(studio / "store")
    base = next(entry for entry in manifest.weights if entry.role == "base")
    weights = weights_archive(studio, base.digest)
    publish(weights, open_car(weights).roots[0], [store])
    reports = [check_token_files(archive, token) for token in archive.drop.tokens]
    return list(regenerate_tokens([archive], [store], reports, given, lambda done, total: None))


def test_a_stranger_with_a_comfyui_paints_the_drop_again_and_one_without_is_told_what_it_takes(comfy, calm):
    (held,) = steps_of(calm, comfy.url)
    assert held.status == "held"
    assert "16 of 16" in held.evidence or held.evidence
    (unchecked,) = steps_of(calm, "")
    assert unchecked.status == "unchecked"
    assert f"need ComfyUI 0.3.75 with the workflow 'hill' and {CHECKPOINT}" in unchecked.evidence
    (away,) = steps_of(calm, "http://127.0.0.1:9")
    assert away.status == "unchecked"


def plan_of(graph: dict, **more):
    "A plan with the guessed table, without the spacing of steps, which the graph says."
    read = read_workflow(json.dumps(graph), "w.json")
    table, _ = guess_inputs(read, output_node(read, "w.json"))
    table.pop("schedule", None)
    inputs = {own: tuple(places) for own, places in (table | more).items()}
    return read_plan(Workflow(file="w.json", graph=json.dumps(graph), inputs=inputs))


def asked(plan, **fields) -> Recipe:
    "A small recipe for a plan."
    own = {"base": plan.digest, "prompt": "a red hill 山 at night", "negative_prompt": "blur", "seed": 7}
    size = {"width": 64, "height": 64, "scheduler": "euler", "steps": 2, "engine": "comfyui"}
    return Recipe(**own | size | fields)


def test_a_preview_is_taken_where_nothing_is_saved(comfy):
    graph = with_checkpoint(SIMPLE)
    saved = plan_of(graph)
    shown = plan_of(graph | {"9": node("PreviewImage", images=["8", 0])})
    images = [ComfyUI(plan, ComfyServer(comfy.url)).render([asked(plan)])[0] for plan in (saved, shown)]
    assert np.array_equal(*images)


def test_two_samplers_paint_an_enlarged_picture(comfy):
    second = ("hires.scale", "hires.strength", "hires.steps")
    places = dict(zip(second, (["10.scale_by"], ["11.denoise"], ["11.steps"])))
    plan = plan_of(with_checkpoint(TWO_SAMPLERS), steps=["3.steps"], **places)
    recipe = asked(plan, hires={"scale": 2.0, "strength": 0.5, "steps": 2})
    (image,) = ComfyUI(plan, ComfyServer(comfy.url)).render([recipe])
    assert image.size == (128, 128)


def test_a_picture_to_start_from_is_sent_there(comfy):
    graph = with_checkpoint(FROM_PICTURE)
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0]}
    graph["3"] = node("KSampler", **graph["3"]["inputs"] | links)
    plan = plan_of(graph)
    out = BytesIO()
    Image.new("RGB", (64, 64), "#c8372d").save(out, "PNG")
    digest = hashlib.sha256(out.getvalue()).hexdigest()
    recipe = asked(plan, init=digest, strength=0.5, steps=4)
    painter = ComfyUI(plan, ComfyServer(comfy.url))
    (image,) = painter.render([recipe], blob={digest: out.getvalue()}.get)
    assert image.size == (64, 64)
    with pytest.raises(EngineLacks, match="begins from a picture"):
        painter.render([asked(plan, steps=4)])


def test_what_the_server_lacks_is_told_before_anything_is_painted(comfy):
    plan = plan_of(SIMPLE | {"20": node("PrimitiveStringMultiline", value="a hill")})
    before = files_of(comfy)
    with pytest.raises(EngineLacks, match="riso.safetensors.*near it: tiny.safetensors|riso.safetensors"):
        ComfyUI(plan, ComfyServer(comfy.url)).render([asked(plan)])
    graph = with_checkpoint(SIMPLE) | {"8": node("VAEDecodeFromElsewhere", samples=["3", 0], vae=["4", 2])}
    plan = plan_of(graph)
    with pytest.raises(EngineLacks, match="no node VAEDecodeFromElsewhere"):
        ComfyUI(plan, ComfyServer(comfy.url)).render([asked(plan)])
    plan = plan_of(with_checkpoint(SIMPLE))
    with pytest.raises(EngineLacks, match="no embedding 'riso-style'"):
        ComfyUI(plan, ComfyServer(comfy.url)).render(
            [asked(plan, prompt="(embedding:riso-style:1.2), a hill")]
        )
    with pytest.raises(EngineLacks, match="'Euler' of KSampler.*near it: euler"):
        ComfyUI(plan, ComfyServer(comfy.url)).render([asked(plan, scheduler="Euler")])
    assert files_of(comfy) == before


def test_the_nodes_of_the_graphs_are_there(comfy):
    infos = ComfyServer(comfy.url).infos
    kinds = {one["class_type"] for graph, _, _ in GRAPHS.values() for one in graph.values()}
    assert kinds - set(infos) == {"Reroute (other)"}


# ours, spacing, theirs, spacing there, most grey levels apart: ComfyUI cuts fractions off, artmint rounds
SAMPLERS = [
    ("Euler", "own", "euler", "normal", 1),
    ("Euler", "karras", "euler", "karras", 1),
    ("Euler", "exponential", "euler", "exponential", 1),
    ("DPM++ 2M", "karras", "dpmpp_2m", "karras", 1),
    ("DPM++ 2M", "own", "dpmpp_2m", "normal", 2),  # diffusers leaves the last timestep out
]


@pytest.mark.parametrize("ours, spacing, theirs, there, most", SAMPLERS)
def test_samplers_agree_with_artmints_own_engine(ours, spacing, theirs, there, most, comfy):
    graph = with_checkpoint(SIMPLE)
    graph["3"] = node("KSampler", **graph["3"]["inputs"] | {"scheduler": there})
    plan = plan_of(graph)
    shown = {"steps": 8, "guidance": 5.0, "width": 128, "height": 128}
    recipe = asked(plan, scheduler=theirs, **shown)
    (served,) = ComfyUI(plan, ComfyServer(comfy.url)).render([recipe])
    base = load_base(pipeline_folder())
    own = {
        "base": base.digest,
        "engine": "diffusers",
        "scheduler": ours,
        "schedule": spacing,
        "profile": "fast",
    }
    (painted_here,) = render(base, [recipe.model_copy(update=own)])
    apart = np.abs(np.asarray(served).astype(int) - np.asarray(painted_here)).max()
    assert apart <= most


def far(one: Image.Image, other: Image.Image) -> int:
    "The most grey levels that two pictures are apart."
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other)).max())


def test_a_lora_in_the_workflow_paints_what_the_adapter_paints_here(comfy):
    base = load_base(pipeline_folder())
    ends = ("to_q", "to_k", "to_v", "to_out.0", "q_proj", "v_proj", "proj_in", "conv1")
    lora = packed(kohya(random_lora(base, layers(base, *ends), ranks=(4,), alphas=(2.0,))))
    (make(comfy.folder / "models" / "loras") / "style.safetensors").write_bytes(lora)
    graph = with_checkpoint(SIMPLE)
    own = {"lora_name": "style.safetensors", "strength_model": 0.75, "strength_clip": 0.75}
    graph["20"] = node("LoraLoader", **own, model=["4", 0], clip=["4", 1])
    graph["3"] = node("KSampler", **graph["3"]["inputs"] | {"model": ["20", 0]})
    for name in ("6", "7"):
        graph[name] = node("CLIPTextEncode", **graph[name]["inputs"] | {"clip": ["20", 1]})
    plan = plan_of(graph)
    recipe = asked(plan, steps=4, guidance=5.0, width=128, height=128)
    (served,) = ComfyUI(plan, ComfyServer(comfy.url)).render([recipe])
    digest = hashlib.sha256(lora).hexdigest()
    here = {"base": base.digest, "engine": "diffusers", "scheduler": "Euler", "profile": "fast"}
    without = recipe.model_copy(update=here)
    adapted = without.model_copy(update={"adapters": (AdapterUse(digest=digest, weight=0.75),)})
    plain, with_it = render(base, [without, adapted], blob={digest: lora}.get)
    print(f"LoRA: {apart(with_it, served)}; without it {apart(plain, served)}")
    assert far(with_it, served) <= 1
    assert far(plain, served) > 8


def test_steps_are_heard_and_heard_again_after_the_line_was_cut(comfy):
    plan = plan_of(with_checkpoint(SIMPLE))
    line = Line(comfy.url)
    told = []

    def tell(words: str) -> None:
        told.append(words)
        if ", step " in words and not any("connecting again" in one for one in told):
            line.cut()

    painter = with_progress(ComfyUI(plan, ComfyServer(line.url)), tell)
    (image,) = painter.render([asked(plan, seed=77, steps=40, width=128, height=128)])
    line.close()
    assert image.size == (128, 128)
    broke = next(at for at, words in enumerate(told) if "connecting again" in words)
    assert any(", step " in words for words in told[:broke]), told
    assert any(words.endswith(" of 40") for words in told[broke:]), told


def test_a_server_that_dies_in_mid_picture_is_heard_again_when_it_is_back(comfy):
    plan = plan_of(with_checkpoint(SIMPLE))
    told, back = [], threading.Event()

    def tell(words: str) -> None:
        told.append(words)
        if ", step " in words and not back.is_set():
            back.set()
            comfy.kill()
            threading.Thread(target=comfy.start).start()

    painter = with_progress(ComfyUI(plan, ComfyServer(comfy.url)), tell)
    (image,) = painter.render([asked(plan, seed=78, steps=30, width=128, height=128)])
    assert image.size == (128, 128)
    broke = next(at for at, words in enumerate(told) if "connecting again" in words)
    assert any(", step " in words for words in told[broke:]), told

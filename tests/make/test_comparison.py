"The same recipe by several engines: how far apart, and why."

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from artmint.core.collection import Workflow
from artmint.core.records import AdapterUse, Recipe, SecondPass
from artmint.make.a1111 import A1111Place, open_a1111
from artmint.make.base import Base, load_base
from artmint.make.comfyui import ComfyServer, ComfyUI
from artmint.make.comparison import (
    Apart,
    Compared,
    NotOneSize,
    apart,
    causes,
    kinds_of,
    recipe_for,
    respaced,
    engine_sheet,
    pooled,
)
from artmint.make.engine import PROFILES, Profile
from artmint.make.engines import PainterSource
from artmint.make.render import render
from artmint.make.workflows import guess_inputs, output_node, read_plan
from tests import a1111
from tests.comfyui import Comfy
from tests.services import TOOLS
from tests.workflows import SIMPLE, node


def recipe(**more) -> Recipe:
    return Recipe(**{"base": "a" * 64, "prompt": "a fox", "seed": 7, "width": 64, "height": 64} | more)


def picture(seed: int, size=(8, 8)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 250, (*size[::-1], 3), np.uint8))


def test_levels_apart_are_counted_over_all_values():
    one = picture(1)
    values = np.asarray(one).copy()
    values[0, 0, 0] += 5
    values[0, 1] += 2
    found = apart(one, Image.fromarray(values))
    assert found == Apart(5, pytest.approx(11 / 192), pytest.approx(188 / 192))
    assert apart(one, one) == Apart(0, 0.0, 1.0)
    assert pooled([found, Apart(0, 0.0, 1.0)]) == Apart(5, pytest.approx(11 / 384), pytest.approx(190 / 192))
    with pytest.raises(NotOneSize, match="8"):
        apart(one, picture(1, (8, 16)))


def test_a_recipe_goes_to_another_engine_without_what_that_does_not_read():
    there, left = recipe_for(
        recipe(profile="fast", guidance_rescale=0.5, scheduler="Euler"), "a1111", "b" * 64
    )
    assert (there.engine, there.base, there.profile, there.guidance_rescale) == (
        "a1111",
        "b" * 64,
        "portable",
        0.0,
    )
    assert left == ["profile", "guidance_rescale"]
    here, left = recipe_for(there, "diffusers", "c" * 64)
    assert (here.engine, here.profile, left) == ("diffusers", "fast", [])
    assert recipe_for(recipe(), "diffusers", "c" * 64)[0].profile == "portable"


def test_recipes_with_one_cause_are_one_kind():
    asked = [
        recipe(),
        recipe(seed=8),
        recipe(hires=SecondPass(scale=2)),
        recipe(adapters=(AdapterUse(digest="b" * 64),)),
    ]
    asked += [recipe(scheduler="DPM++ 2M", schedule="karras", clip_skip=2)]
    kinds = {"DDIM": [0, 1], "DDIM, hires": [2], "DDIM, adapters": [3], "DPM++ 2M, karras, clip skip 2": [4]}
    assert kinds_of(asked) == kinds


@pytest.mark.slow
def test_another_spacing_is_found_by_experiment():
    base = load_base()
    elsewhere = respaced(base, "linspace")
    assert elsewhere.digest != base.digest
    asked = [recipe(base=base.digest, steps=2, width=32, height=32)]
    there = render(elsewhere, [r.model_copy(update={"base": elsewhere.digest}) for r in asked])
    pair = Compared(base, asked, render(base, asked), there)
    assert pair.apart.largest > 4
    (cause,) = causes(pair)
    assert cause.name == "timestep spacing"
    assert "linspace there" in cause.words
    assert cause.after == Apart(0, 0.0, 1.0)
    assert causes(Compared(base, asked, there, there)) == []


def by_other_noise(base, asked, kind: str):
    "Recipes painted here, and as somebody paints them who draws the noise between the steps otherwise."
    elsewhere = respaced(base, noise=kind)
    assert elsewhere.digest != base.digest
    there = render(elsewhere, [r.model_copy(update={"base": elsewhere.digest}) for r in asked])
    return Compared(base, asked, render(base, asked), there)


STRONG = {"prompt": "dense rings in aurora colours on night", "guidance": 14.0, "width": 32, "height": 32}


@pytest.mark.slow
def test_other_noise_between_the_steps_is_found_by_experiment():
    base = load_base()
    asked = [recipe(base=base.digest, steps=4, scheduler="Euler a", profile="fast", **STRONG)]
    pair = by_other_noise(base, asked, "continued")
    assert pair.apart.largest > 4
    (cause,) = causes(pair)
    assert cause.name == "noise between steps"
    assert "goes on there" in cause.words
    assert cause.after == Apart(0, 0.0, 1.0)


@pytest.mark.slow
def test_ddim_that_is_euler_elsewhere_is_found_by_experiment():
    base = load_base()
    asked = [recipe(base=base.digest, steps=3, **STRONG)]
    euler = respaced(base, "linspace")
    changes = {"base": euler.digest, "scheduler": "Euler", "profile": "fast"}
    there = render(euler, [r.model_copy(update=changes) for r in asked])
    pair = Compared(base, asked, render(base, asked), there)
    (cause,) = causes(pair)
    assert cause.name == "another solver"
    assert "Euler's steps (linspace)" in cause.words
    assert f"0 of {pair.apart.largest} grey levels" in cause.words


@pytest.mark.slow
def test_a_pass_over_a_picture_with_all_its_steps_is_found_by_experiment():
    base, start = load_base(), start_picture(32)
    digest = hashlib.sha256(start).hexdigest()
    own = {"base": base.digest, "width": 32, "height": 32, "init": digest, "strength": 0.5, "steps": 4}
    asked = [recipe(**own)]
    fuller = [recipe(**own | {"steps": 8})]
    blob = {digest: start}.get
    pair = Compared(base, asked, render(base, asked, blob=blob), render(base, fuller, blob=blob), blob)
    (cause,) = causes(pair)
    assert cause.name == "share of the steps"
    assert cause.after == Apart(0, 0.0, 1.0)


def test_values_that_were_cut_are_told_from_rounding():
    here = picture(1)
    values = np.asarray(here).astype(int)
    lower = np.clip(values - (np.indices(values.shape).sum(0) % 2), 0, 255).astype(np.uint8)
    (cause,) = causes(Compared(None, [recipe()], [here], [Image.fromarray(lower)]))
    assert cause.name == "fractions cut off"
    either = np.clip(values + np.indices(values.shape).sum(0) % 3 - 1, 0, 255).astype(np.uint8)
    (cause,) = causes(Compared(None, [recipe()], [here], [Image.fromarray(either)]))
    assert cause.name == "rounding"


@pytest.mark.slow
def test_what_no_experiment_explains_is_said_to_be_unexplained():
    base = load_base()
    asked = [recipe(base=base.digest, steps=2, width=32, height=32)]
    pair = Compared(base, asked, render(base, asked), [picture(1, (32, 32))])
    assert [cause.name for cause in causes(pair)] == ["not explained"]


@pytest.mark.slow
def test_what_an_experiment_leaves_is_said_to_be_unexplained():
    base = load_base()
    elsewhere = respaced(base, "linspace")
    asked = [recipe(base=base.digest, steps=2, width=32, height=32)]
    there = render(elsewhere, [asked[0].model_copy(update={"base": elsewhere.digest})])[0]
    values = np.asarray(there).copy()
    values[:2] ^= 8
    pair = Compared(base, asked, render(base, asked), [Image.fromarray(values)])
    assert [cause.name for cause in causes(pair)] == ["timestep spacing", "not explained"]


def test_small_differences_are_rounding_and_cost_no_experiment():
    one = picture(1)
    values = np.asarray(one).copy()
    values[0, 0, 0] += 2
    (cause,) = causes(Compared(None, [recipe()], [one], [Image.fromarray(values)]))
    assert cause.name == "rounding"
    assert "2 grey levels" in cause.words


def test_a_sheet_shows_every_picture_and_what_differs():
    one, other = picture(1), picture(2)
    page = engine_sheet(["here", "there"], [[one, other], [other, other]])
    assert page.size == (3 * 12 - 4, 14 + 2 * 12 - 4)
    assert np.array_equal(np.asarray(page.crop((12, 14, 20, 22))), np.asarray(other))
    assert np.asarray(page.crop((24, 26, 32, 34))).max() == 0


# --- the same recipes by real programs ---

KINDS = [
    *[{"scheduler": "Euler", "seed": seed} for seed in (1, 2, 3)],
    {"scheduler": "Euler", "seed": 2**32 - 1, "width": 128},
    *[{"scheduler": "Euler", "schedule": "karras", "seed": seed} for seed in (5, 6)],
    *[{"scheduler": "DDIM", "seed": seed} for seed in (7, 8)],
    *[{"scheduler": "DPM++ 2M", "seed": seed} for seed in (9, 10)],
    *[{"scheduler": "DPM++ 2M", "schedule": "karras", "seed": seed} for seed in (11, 12, 13)],
    *[{"scheduler": "Euler a", "seed": seed} for seed in (14, 15)],
    {"scheduler": "LCM", "seed": 16, "guidance": 1.0},
    {"scheduler": "Euler", "seed": 17, "clip_skip": 2},
    {"scheduler": "Euler", "seed": 18, "prompt": "a (red:1.3) fox, snow", "prompt_syntax": "a1111"},
    {"scheduler": "Euler", "seed": 19, "strength": 0.75},
    {"scheduler": "Euler", "seed": 20, "hires": SecondPass(scale=2, strength=0.75)},
]
COMFY = {
    "Euler": "euler",
    "DDIM": "ddim",
    "DPM++ 2M": "dpmpp_2m",
    "Euler a": "euler_ancestral",
    "LCM": "lcm",
}
# What experiments bring to at most so many grey levels, with the causes that they find.
FOUND = {
    "Euler": ([], 1),
    "Euler, karras": ([], 1),
    "Euler, clip skip 2": ([], 1),
    "DPM++ 2M": ([], 4),
    "DPM++ 2M, karras": ([], 1),
    "DDIM": (["another solver"], 1),
    "Euler a": (["noise between steps"], 1),
}


def start_picture(side: int = 64) -> bytes:
    from io import BytesIO

    from artmint.train.drawings import draw, subjects

    out = BytesIO()
    draw(subjects()[0], 1, side).save(out, "PNG")
    return out.getvalue()


def comfy_graph(model: str, asked: Recipe) -> tuple[dict, dict]:
    "The workflow that a studio would build for a recipe, and what its table says beside what is guessed."
    graph = SIMPLE | {"4": node("CheckpointLoaderSimple", ckpt_name=model)}
    table: dict = {}
    if asked.clip_skip > 1:
        graph["20"] = node("CLIPSetLastLayer", stop_at_clip_layer=-asked.clip_skip, clip=["4", 1])
        for name in ("6", "7"):
            graph[name] = node("CLIPTextEncode", **graph[name]["inputs"] | {"clip": ["20", 0]})
    if asked.init:
        graph["21"] = node("LoadImage", image="start.png")
        graph["22"] = node("VAEEncode", pixels=["21", 0], vae=["4", 2])
        graph["3"] = node("KSampler", **graph["3"]["inputs"] | {"latent_image": ["22", 0]})
    if asked.hires:
        graph["23"] = node("VAEDecode", samples=["3", 0], vae=["4", 2])
        graph["24"] = node("ImageScaleBy", image=["23", 0], upscale_method="lanczos", scale_by=2.0)
        graph["25"] = node("VAEEncode", pixels=["24", 0], vae=["4", 2])
        graph["26"] = node("KSampler", **graph["3"]["inputs"] | {"latent_image": ["25", 0], "denoise": 0.5})
        graph["8"] = node("VAEDecode", samples=["26", 0], vae=["4", 2])
        table = {"hires.scale": ["24.scale_by"], "hires.strength": ["26.denoise"]}
    return graph, table


def by_comfyui(url: str, model: str, asked: list[Recipe], blob) -> list[Image.Image]:
    "Recipes as a studio's ComfyUI paints them, each with the workflow that it needs."
    pictures = []
    for one in asked:
        graph, more = comfy_graph(model, one)
        table, _ = guess_inputs(graph, output_node(graph, "w.json"))
        inputs = {own: tuple(places) for own, places in (table | more).items()}
        plan = read_plan(Workflow(file="w.json", graph=json.dumps(graph), inputs=inputs))
        own = {"clip_skip": 1, "prompt_syntax": "plain", "scheduler": COMFY[one.scheduler]}
        own |= {"base": plan.digest, "engine": "comfyui"}
        pictures += ComfyUI(plan, ComfyServer(url)).render([one.model_copy(update=own)], blob=blob)
    return pictures


def by_sdcpp(url: str, asked: list[Recipe], blob) -> list[Image.Image]:
    "Recipes as stable-diffusion.cpp paints them."
    place = A1111Place("tiny", url, stated={"tiny-sd1": a1111.sha256()})
    painter = open_a1111(PainterSource(engine="a1111", base="tiny-sd1"), None, place)
    own = {"base": painter.digest, "engine": "a1111"}
    recipes = [one.model_copy(update=own) for one in asked]
    painter.check_new(recipes, blob)
    there = painter.render(recipes, blob=blob)
    assert apart(there[0], painter.render(recipes[:1])[0]).largest == 0
    return there


def rows_of(base: Base, ours: list[Recipe], columns: dict, blob) -> list[dict]:
    "One row for each engine and kind of recipes, with what explains it."
    rows = []
    for kind, indices in kinds_of(ours).items():
        for engine, there in columns.items():
            pick = [[pictures[i] for i in indices] for pictures in (ours, columns["diffusers"], there)]
            pair = Compared(base, *pick, blob)
            if engine == "diffusers":
                continue
            named = [{"name": c.name, "words": c.words, "after": vars(c.after)} for c in causes(pair)]
            rows.append({"kind": kind, "engine": engine, "recipes": len(indices)})
            rows[-1] |= {"apart": vars(pair.apart), "causes": named}
            print(json.dumps(rows[-1]), flush=True)
    return rows


@pytest.mark.slow
def test_twenty_recipes_by_diffusers_comfyui_and_a_server_with_a1111s_api(tmp_path, monkeypatch):
    "One table, in build/tools/engines.json; docs/engines.md has it."
    a1111.program()
    monkeypatch.setitem(
        PROFILES, "fast", Profile("float32", 1)
    )  # what fills a batch up changes no pixel much
    start = start_picture()
    digest = hashlib.sha256(start).hexdigest()
    blob = {digest: start}.get
    base = Base(a1111.pipeline(tmp_path), "tiny-sd1", None)
    shared = {"base": base.digest, "prompt": "a red fox, snow", "negative_prompt": "dull", "profile": "fast"}
    shared |= {"width": 64, "height": 64, "steps": 3, "guidance": 4.0}
    ours = [Recipe(**shared | more | ({"init": digest} if "strength" in more else {})) for more in KINDS]
    assert len(ours) == 20
    plain = [one.model_copy(update={"profile": "portable"}) for one in ours]
    with a1111.serving() as url:
        columns = {"stable-diffusion.cpp": by_sdcpp(url, plain, blob)}
    comfy = Comfy(tmp_path / "comfy", a1111.for_comfyui())
    try:
        columns["ComfyUI"] = by_comfyui(comfy.url, a1111.for_comfyui().name, plain, blob)
    finally:
        comfy.kill()
    columns = {"diffusers": render(base, ours, blob=blob)} | columns
    rows = rows_of(base, ours, columns, blob)
    (TOOLS / "engines.json").write_text(json.dumps(rows, indent=1))
    engine_sheet(list(columns), list(map(list, zip(*columns.values())))).save(TOOLS / "engines.png")
    for row in rows:
        assert row["causes"]
        assert row["causes"][-1]["name"] != "not explained", row
        if row["kind"] in FOUND:
            names, most = FOUND[row["kind"]]
            assert [cause["name"] for cause in row["causes"]][: len(names)] == names, row
            assert row["causes"][-1]["after"]["largest"] <= most, row

"The same recipe by several engines: how far apart, and why."

import json

import numpy as np
import pytest
from PIL import Image

from artmint.core.records import AdapterUse, Recipe, SecondPass
from artmint.make.base import load_base
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
from artmint.make.render import render


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


def test_what_no_experiment_explains_is_said_to_be_unexplained():
    base = load_base()
    asked = [recipe(base=base.digest, steps=2, width=32, height=32)]
    pair = Compared(base, asked, render(base, asked), [picture(1, (32, 32))])
    assert [cause.name for cause in causes(pair)] == ["not explained"]


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
    {"scheduler": "Euler", "seed": 20, "hires": SecondPass(scale=2, strength=0.7)},
]
LARGEST = {"Euler": 3, "Euler, karras": 3, "DPM++ 2M": 3, "DPM++ 2M, karras": 3}


def start_picture() -> bytes:
    from io import BytesIO

    from artmint.train.drawings import draw, subjects

    out = BytesIO()
    draw(subjects()[0], 1, 64).save(out, "PNG")
    return out.getvalue()


@pytest.mark.slow
def test_twenty_recipes_by_diffusers_and_a_real_server(tmp_path):
    "One table, in build/engines.json; docs/engines.md has it."
    import hashlib

    from artmint.make.a1111 import A1111Place, open_a1111
    from artmint.make.base import Base
    from artmint.make.engines import PainterSource

    from .. import a1111

    start = start_picture()
    digest = hashlib.sha256(start).hexdigest()
    with a1111.serving() as url:
        place = A1111Place("tiny", url, stated={"tiny-sd1": a1111.sha256()})
        painter = open_a1111(PainterSource(engine="a1111", base="tiny-sd1"), None, place)
        shared = {
            "base": painter.digest,
            "engine": "a1111",
            "prompt": "a red fox, snow",
            "negative_prompt": "dull",
        }
        shared |= {"width": 64, "height": 64, "steps": 3, "guidance": 4.0}
        asked = [Recipe(**shared | more | ({"init": digest} if "strength" in more else {})) for more in KINDS]
        painter.check_new(asked, lambda name: start)
        there = painter.render(asked, blob=lambda name: start)
        again = painter.render(asked[:1])
    assert len(asked) == 20
    assert apart(there[0], again[0]).largest == 0
    base = Base(a1111.pipeline(tmp_path), "tiny-sd1", None)
    ours = [
        recipe_for(one, "diffusers", base.digest)[0].model_copy(update={"profile": "fast"}) for one in asked
    ]
    here = render(base, ours, blob=lambda name: start)
    rows = []
    for kind, indices in kinds_of(ours).items():
        pick = [[pictures[i] for i in indices] for pictures in (ours, here, there)]
        pair = Compared(base, *pick, lambda name: start)
        named = causes(pair)
        rows.append({"kind": kind, "recipes": len(indices), "apart": vars(pair.apart)})
        rows[-1]["causes"] = [{"name": c.name, "words": c.words, "after": vars(c.after)} for c in named]
        if kind in LARGEST:
            assert [c.name for c in named][-1] == "rounding", (kind, named)
            assert named[-1].after.largest <= LARGEST[kind]
        assert named
    engine_sheet(["diffusers", "sd.cpp"], list(map(list, zip(here, there)))).save(
        a1111.TOOLS.parent / "engines.png"
    )
    (a1111.TOOLS.parent / "engines.json").write_text(json.dumps(rows, indent=1))

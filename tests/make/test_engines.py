"The program that paints: what a collection and a studio say of it, and what of that is refused."

import numpy as np
import pytest

from artmint.core.records import Recipe, UnreadFields, refuse_unread
from artmint.make.base import load_base
from artmint.make.engine import BrokenPicture
from artmint.make.engines import (
    Diffusers,
    NoSuchEngine,
    PainterSource,
    collection_painter,
    engine_settings,
    open_painter,
    painter_source,
    read_engines,
)
from artmint.make.render import render
from artmint.make.schedulers import unpaintable
from artmint.seeds import load_collection
from artmint.studio.files import BadSettings
from tests.hosts import TINY

SECOND = {"scale": 2}
USE = {"digest": "2" * 64, "weight": 0.8}
# dna as artmint 0.3 gave them, before recipes named engines
OLD = {
    "0b5162f7cf3ebd4dc6ceeaee78a81d36c5609de0962cdd5796599ad22c10c391": {},
    "8ec0b868bc3fb6d2646d115df3e37e51b8ac9a267232eac05e73cf62827e3f84": {
        "steps": 8,
        "scheduler": "Euler",
        "profile": "fast",
        "negative_prompt": "blur",
        "schedule": "karras",
    },
    "a00e4c558414deaa75c6e528c5ccdadd0d830f750b0ff7bdb03b81f6615780a1": {
        "init": "1" * 64,
        "strength": 0.5,
        "hires": SECOND,
        "clip_skip": 2,
        "prompt_syntax": "a1111",
        "adapters": (USE,),
    },
}


@pytest.fixture(scope="module")
def base():
    return load_base()


def recipe(**fields) -> Recipe:
    "A small recipe."
    return Recipe(**{"base": "0" * 64, "prompt": "rings", "seed": 1, "width": 64, "height": 64} | fields)


def test_the_dna_of_what_was_painted_before_engines_had_names_stay():
    assert {recipe(**fields).dna: fields for fields in OLD.values()} == OLD
    assert recipe(engine="comfyui").dna not in OLD


def test_diffusers_paints_what_render_paints_to_the_byte(base):
    painter = Diffusers(base)
    asked = [recipe(base=base.digest, steps=2, seed=seed) for seed in range(3)]
    counted = []
    painted = painter.render(asked, lambda index, image: counted.append(index))
    assert counted == [0, 1, 2]
    assert all(np.array_equal(a, b) for a, b in zip(painted, render(base, asked), strict=True))
    assert painter.batches(asked) == [[0, 1, 2]]
    assert painter.infotexts(asked[0])[0].startswith("rings\nSteps: 2, Sampler: DDIM")


def test_diffusers_says_what_came_out_as_no_picture(base):
    painter = Diffusers(base)
    flat = recipe(base=base.digest, guidance=1e30, steps=2, profile="fast", scheduler="DDIM")
    with pytest.raises(BrokenPicture):
        painter.render([flat])


def test_a_source_opens_the_same_painter_anywhere(base):
    source = painter_source(load_collection(TINY))
    assert source == PainterSource() == Diffusers(load_base()).source
    assert open_painter(source).digest == collection_painter(load_collection(TINY)).digest == base.digest


@pytest.mark.parametrize(
    "fields, unread",
    [
        ({"clip_skip": 2}, ["clip_skip"]),
        ({"profile": "fast", "schedule": "karras", "steps": 8}, ["profile", "schedule"]),
        ({"init": "1" * 64, "strength": 0.5}, ["init", "strength"]),
        ({"negative_prompt": "blur", "embeddings": ("3" * 64,)}, ["embeddings", "negative_prompt"]),
    ],
)
def test_what_an_engine_does_not_read_is_refused_by_name(fields, unread):
    refuse_unread(recipe(engine="a1111", steps=8), {"steps"})
    with pytest.raises(UnreadFields) as refused:
        refuse_unread(recipe(engine="a1111", **fields), {"steps"})
    assert refused.value.fields == unread
    assert ", ".join(unread) in str(refused.value)


def test_schedulers_of_other_engines_are_theirs_to_refuse():
    generation = load_collection(TINY).generation.model_copy(update={"scheduler": "dpmpp_2m"})
    assert unpaintable(generation)
    assert not unpaintable(generation.model_copy(update={"engine": "comfyui"}))


def servers(folder, *tables: str):
    "A studio whose studio.toml names servers."
    (folder / "studio.toml").write_text("\n".join(tables))
    return folder


GPU = '[engines.gpu]\nkind = "comfyui"\nurl = "http://127.0.0.1:8188/"\n'


def test_a_studio_names_its_server(tmp_path):
    settings = engine_settings(servers(tmp_path, GPU), "comfyui")
    assert settings.url == "http://127.0.0.1:8188"
    assert settings.timeout == 600
    assert read_engines(tmp_path / "no studio") == {}


@pytest.mark.parametrize(
    "table, reason",
    [
        ('kind = "comfy"\nurl = "http://127.0.0.1:1"', "kind"),
        ('kind = "comfyui"', "url"),
        ('kind = "comfyui"\nurl = "127.0.0.1:8188"', "http://"),
        ('kind = "comfyui"\nurl = "http://ann:secret@127.0.0.1:8188"', "no password"),
        ('kind = "comfyui"\nurl = "http://127.0.0.1:8188/?token=secret"', "no query"),
        ('kind = "comfyui"\nurl = "http://127.0.0.1:8188"\ntimeout = 0', "timeout"),
        ('kind = "comfyui"\nurl = "http://127.0.0.1:8188"\nuser = "ann"', "user"),
    ],
)
def test_a_server_that_is_named_wrongly_is_refused_without_repeating_secrets(table, reason, tmp_path):
    with pytest.raises(BadSettings, match=reason) as refused:
        read_engines(servers(tmp_path, f"[engines.gpu]\n{table}\n"))
    assert "secret" not in str(refused.value)


def test_none_and_several_servers_of_a_kind_are_refused(tmp_path):
    with pytest.raises(NoSuchEngine, match="names 0 servers"):
        engine_settings(servers(tmp_path, GPU), "a1111")
    with pytest.raises(NoSuchEngine, match="names 0 servers"):
        engine_settings(None, "comfyui")
    with pytest.raises(NoSuchEngine, match=r"names 2 servers of this kind \(gpu, old\)"):
        engine_settings(servers(tmp_path, GPU, GPU.replace("gpu", "old")), "comfyui")

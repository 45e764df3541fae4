"A1111's API as an engine: names, requests, refusals, and what comes back."

import hashlib

import pytest

from artmint.core.canon import Refusal
from artmint.core.records import AdapterUse, Recipe, SecondPass, UnreadFields
from artmint.ipfs.http import NoAnswer
from artmint.make import a1111 as room
from artmint.make.a1111 import (
    A1111,
    FIXED_SETTINGS,
    KOBOLD,
    SAMPLER_NAMES,
    SDCPP,
    SDNEXT,
    A1111Client,
    A1111Facts,
    A1111Painter,
    A1111Server,
    LoraNotThere,
    NoSuchPage,
    SettingMissing,
    NotAsAsked,
    NotForServers,
    NotLetIn,
    NotOnServer,
    ServerFault,
    ServerGone,
    ServerModel,
    ServerOutOfMemory,
    TooSlow,
    UnknownModel,
    ask_facts,
    infotext_facts,
    lora_file,
    lora_name,
    model_of,
    refuse_for_api,
    refuse_for_server,
    refuse_lora,
    request_of,
    sampler_name,
    server_notes,
)
from artmint.make.engine import BrokenPicture
from artmint.make.prompts import UnreadMarkup
from artmint.make.schedulers import SCHEDULERS

from ..webui import SHA, small_lora, webui

# What the servers list, as each says it.
LISTS = {
    A1111: (
        "DPM++ 2M|DPM++ SDE|DPM++ 2M SDE|Euler a|Euler|LCM|DDIM|UniPC",
        ("Automatic", "Uniform", "Karras", "Exponential"),
    ),
    SDCPP: (
        "default|euler|euler_a|heun|dpm2|dpm++2s_a|dpm++2m|dpm++2mv2|lcm|ddim_trailing",
        ("default", "discrete", "karras", "exponential", "ays"),
    ),
    KOBOLD: ("Euler|Euler a|Heun|DPM2|DPM++ 2M|DPM++ 2M Karras|LCM", None),
    SDNEXT: ("Default|UniPC|DDIM|Euler|Euler a|DPM++ 2M|DPM++ 2M SDE|DPM++ SDE|LCM", None),
}
SETTINGS = {
    A1111: {
        "randn_source": "GPU",
        "CLIP_stop_at_last_layers": 2,
        "sd_vae": "Automatic",
        "samples_format": "png",
    },
    SDNEXT: {"diffusers_generator_device": "GPU", "schedulers_sigma": "default"},
}
MODEL = ServerModel("fox.safetensors [3f1c3f1c3f]", "fox", SHA)


def facts(kind=A1111, **more) -> A1111Facts:
    names, schedulers = LISTS[kind]
    found = {
        "samplers": {name: name for name in names.split("|")},
        "schedulers": schedulers,
        "upscalers": ("None", "Lanczos"),
        "loras": {},
        "settings": SETTINGS.get(kind, {}),
        "models": (MODEL,),
    }
    return A1111Facts(kind=kind, **found | more)


def recipe(**more) -> Recipe:
    return Recipe(
        **{
            "engine": "a1111",
            "base": SHA,
            "prompt": "a fox",
            "seed": 7,
            "width": 64,
            "height": 64,
            "scheduler": "Euler",
        }
        | more
    )


WIRE = {
    (A1111, "DDIM", "own"): ("DDIM", "Uniform"),
    (A1111, "Euler", "own"): ("Euler", "Uniform"),
    (A1111, "Euler", "karras"): ("Euler", "Karras"),
    (A1111, "Euler a", "own"): ("Euler a", "Uniform"),
    (A1111, "DPM++ 2M", "own"): ("DPM++ 2M", "Uniform"),
    (A1111, "DPM++ 2M", "exponential"): ("DPM++ 2M", "Exponential"),
    (A1111, "DPM++ 2M SDE", "karras"): ("DPM++ 2M SDE", "Karras"),
    (A1111, "DPM++ SDE", "karras"): ("DPM++ SDE", "Karras"),
    (A1111, "UniPC", "own"): ("UniPC", "Uniform"),
    (A1111, "LCM", "own"): ("LCM", "Uniform"),
    (SDCPP, "DDIM", "own"): ("ddim_trailing", "discrete"),
    (SDCPP, "Euler", "own"): ("euler", "discrete"),
    (SDCPP, "Euler a", "own"): ("euler_a", "discrete"),
    (SDCPP, "DPM++ 2M", "karras"): ("dpm++2m", "karras"),
    (SDCPP, "LCM", "own"): ("lcm", "discrete"),
    (KOBOLD, "Euler", "own"): ("Euler", ""),
    (KOBOLD, "DPM++ 2M", "karras"): ("DPM++ 2M Karras", ""),
    (SDNEXT, "DPM++ 2M", "karras"): ("DPM++ 2M", ""),
}
NOT_THERE = [
    (SDCPP, "UniPC", "own", "euler"),
    (SDCPP, "DPM++ SDE", "own", "dpm++2m"),
    (KOBOLD, "DDIM", "own", "Euler"),
    (KOBOLD, "Euler", "karras", "Euler Karras"),
    (A1111, "UniPC", "karras", "whole timesteps"),
    (A1111, "DPM++ 3M", "own", "LCM"),
]


@pytest.mark.parametrize("asked", WIRE, ids=str)
def test_a_scheduler_is_called_as_the_server_lists_it(asked):
    kind, scheduler, schedule = asked
    assert sampler_name(recipe(scheduler=scheduler, schedule=schedule), facts(kind)) == WIRE[asked]


def test_every_scheduler_of_recipes_is_in_the_table():
    assert set(SAMPLER_NAMES) == set(SCHEDULERS)


@pytest.mark.parametrize("kind, scheduler, schedule, says", NOT_THERE)
def test_what_the_server_does_not_list_is_refused_by_name(kind, scheduler, schedule, says):
    with pytest.raises(NotOnServer) as refusal:
        sampler_name(recipe(scheduler=scheduler, schedule=schedule), facts(kind))
    assert says in str(refusal.value)
    assert "Nothing was painted" in str(refusal.value)


def test_an_alias_is_sent_as_the_name():
    listed = facts(samplers={"Euler": "Euler", "k_euler": "Euler", "euler": "Euler Prime"})
    assert sampler_name(recipe(), listed)[0] == "Euler"


def test_a_picture_is_one_request_with_all_settings_that_change_pixels():
    page, body = request_of(
        recipe(negative_prompt="dull", steps=9, guidance=6.5, clip_skip=2), facts(), MODEL
    )
    assert page == "/sdapi/v1/txt2img"
    settings = body.pop("override_settings")
    assert settings == {
        "randn_source": "CPU",
        "sd_vae": "None",
        "sd_model_checkpoint": MODEL.title,
        "CLIP_stop_at_last_layers": 2,
    }
    expected = {
        "prompt": "a fox",
        "negative_prompt": "dull",
        "seed": 7,
        "steps": 9,
        "cfg_scale": 6.5,
        "width": 64,
        "height": 64,
    }
    expected |= {"sampler_name": "Euler", "scheduler": "Uniform", "batch_size": 1, "n_iter": 1}
    assert {key: body[key] for key in expected} == expected
    assert not body["save_images"]


def test_seeds_of_32_bits_go_through():
    assert request_of(recipe(seed=2**32 - 1), facts(), MODEL)[1]["seed"] == 4294967295


def test_a_large_seed_is_told_to_stable_diffusion_cpp_behind_the_prompt():
    "It reads a request's seed as 31 bits, and draws one by chance for a larger one."
    large = request_of(recipe(seed=2**32 - 1), facts(SDCPP), MODEL)[1]
    assert large["prompt"] == 'a fox<sd_cpp_extra_args>{"seed":4294967295}</sd_cpp_extra_args>'
    assert request_of(recipe(seed=2**31 - 1), facts(SDCPP), MODEL)[1]["prompt"] == "a fox"
    with pytest.raises(NotForServers, match="prompt"):
        refuse_for_api(recipe(prompt='a fox<sd_cpp_extra_args>{"seed":1}</sd_cpp_extra_args>'))


def test_sd_next_is_told_the_spacing_as_a_setting():
    body = request_of(recipe(scheduler="DPM++ 2M", schedule="karras", clip_skip=2), facts(SDNEXT), MODEL)[1]
    assert body["override_settings"]["schedulers_sigma"] == "karras"
    assert body["override_settings"]["diffusers_generator_device"] == "CPU"
    assert body["clip_skip"] == 2
    assert "scheduler" not in body


def test_hires_names_the_exact_size_and_the_share_of_steps():
    asked = recipe(width=72, hires=SecondPass(scale=1.5, strength=0.5, steps=9))
    for kind, name in ((A1111, "hr_second_pass_steps"), (SDCPP, "hr_steps")):
        body = request_of(asked, facts(kind), MODEL)[1]
        assert (body["hr_resize_x"], body["hr_resize_y"]) == asked.size == (112, 96)
        assert (body["width"], body["height"]) == (72, 64)
        assert body[name] == 4
        assert body["hr_upscaler"] == "Lanczos"
        assert body["denoising_strength"] == 0.5


def test_a_start_goes_to_img2img():
    page, body = request_of(recipe(init="a" * 64, strength=0.7), facts(), MODEL, b"picture")
    assert page == "/sdapi/v1/img2img"
    assert body["init_images"] == ["cGljdHVyZQ=="]
    assert body["denoising_strength"] == 0.7


def test_adapters_stand_in_the_prompt_or_as_paths():
    asked = recipe(adapters=(AdapterUse(digest="ab" * 32, weight=0.75),))
    name = "artmint-abababababab"
    assert lora_name("ab" * 32) == name
    assert request_of(asked, facts(), MODEL)[1]["prompt"] == f"a fox <lora:{name}:0.75>"
    body = request_of(
        asked, facts(SDCPP, loras={name: {"name": name, "path": f"{name}.safetensors"}}), MODEL
    )[1]
    assert body["prompt"] == "a fox"
    assert body["lora"] == [{"path": f"{name}.safetensors", "multiplier": 0.75}]


UNREAD = [
    ({"profile": "fast"}, UnreadFields, "profile"),
    ({"guidance_rescale": 0.5}, UnreadFields, "guidance_rescale"),
    ({"embeddings": ("ab" * 32,)}, UnreadFields, "embeddings"),
    ({"init": "ab" * 32, "hires": SecondPass(scale=2)}, NotForServers, "hires"),
    ({"prompt": "a (red:1.2) fox"}, UnreadMarkup, "red"),
    ({"prompt": "a fox <lora:red:1>", "prompt_syntax": "a1111"}, Refusal, "lora"),
]


@pytest.mark.parametrize("more, kind, says", UNREAD)
def test_what_no_server_reads_is_refused_by_its_field(more, kind, says):
    with pytest.raises(kind, match=says):
        refuse_for_api(recipe(**more))


def test_weights_are_read_where_the_recipe_says_so():
    refuse_for_api(recipe(prompt="a (red:1.2) fox", prompt_syntax="a1111"))


REFUSED = [
    ({}, {"base": "b" * 64}, NotAsAsked, "base"),
    ({"upscalers": ("None",)}, {"hires": SecondPass(scale=2)}, NotOnServer, "Lanczos"),
    ({"settings": {"samples_format": "png"}}, {}, SettingMissing, "noise on the CPU"),
    ({"settings": {"randn_source": "GPU"}}, {"clip_skip": 2}, SettingMissing, "clip skip"),
    ({"settings": SETTINGS[A1111] | {"samples_format": "jpg"}}, {}, SettingMissing, "PNG"),
    ({}, {"init": "ab" * 32, "strength": 0.04}, NotForServers, "no step"),
    ({}, {"hires": SecondPass(scale=2, strength=0.04)}, NotForServers, "no step"),
]


@pytest.mark.parametrize("listed, asked, kind, says", REFUSED)
def test_what_the_server_would_paint_otherwise_is_refused(listed, asked, kind, says):
    with pytest.raises(kind, match=says):
        refuse_for_server(recipe(**asked), facts(**listed), MODEL)


def test_a_recipe_that_fits_is_not_refused():
    refuse_for_server(recipe(hires=SecondPass(scale=2), clip_skip=2), facts(), MODEL)


def test_a_checkpoint_is_found_by_any_of_its_names():
    for name in ("fox", "fox.safetensors", MODEL.title):
        assert model_of(facts(), name) == MODEL
    with pytest.raises(NotOnServer, match="fox.safetensors"):
        model_of(facts(), "wolf")


def test_a_digest_of_eights_is_none_and_the_studio_says_it():
    eights = room._models([{"title": "tiny", "model_name": "tiny", "sha256": "8" * 64, "hash": "8" * 10}])
    listed = facts(SDCPP, models=eights)
    with pytest.raises(UnknownModel, match="sha256sum"):
        model_of(listed, "tiny")
    assert model_of(listed, "tiny", {"tiny": "AB" * 32}).sha256 == "ab" * 32
    with pytest.raises(NotAsAsked, match="abab"):
        model_of(facts(), "fox", {"fox": "ab" * 32})


def test_an_adapter_goes_out_in_kohyas_layout_with_kohyas_hash():
    from artmint.make.adapters import unpack_tensors

    data, kohya = lora_file(small_lora())
    tensors, header = unpack_tensors(data)
    assert header["sshs_model_hash"] == kohya
    assert all(name.startswith("lora_unet_down_blocks_0_") for name in tensors)
    # As kohya's tools compute it: the file behind its header.
    assert hashlib.sha256(data[8 + int.from_bytes(data[:8], "little") :]).hexdigest() == kohya
    assert lora_file(data) == (data, kohya)


def test_an_adapter_that_the_server_lacks_or_has_otherwise_is_refused():
    digest, name = "ab" * 32, "artmint-abababababab"
    with pytest.raises(LoraNotThere, match=name):
        refuse_lora(facts(), digest, "cd" * 32)
    with pytest.raises(NotOnServer, match="merge"):
        refuse_lora(facts(KOBOLD), digest, "cd" * 32)
    there = facts(loras={name: {"metadata": {"sshs_model_hash": "ef" * 32}}})
    with pytest.raises(NotAsAsked, match="efef"):
        refuse_lora(there, digest, "cd" * 32)
    refuse_lora(facts(loras={name: {"metadata": {"sshs_model_hash": "cd" * 32}}}), digest, "cd" * 32)
    assert "word" in room.lora_words(facts(SDCPP, loras={name: {}}), [digest])
    assert "kohya" in room.lora_words(there, [digest])


def test_infotexts_are_read_to_their_last_line():
    text = 'a fox, Seed: 1\nNegative prompt: x\nSteps: 20, Sampler: DPM++ 2M, Seed: 7, Size: 64x64, Lora hashes: "a: 12, b: 34", RNG: CPU, Version: v1.10.1'
    said = infotext_facts(text)
    assert (said["Seed"], said["Size"], said["Lora hashes"], said["RNG"]) == (
        "7",
        "64x64",
        "a: 12, b: 34",
        "CPU",
    )


# --- faults, through a server of this process ---


@pytest.fixture
def server():
    with webui() as running:
        yield running


def painter(server, **more) -> A1111Painter:
    client = A1111Client(server.url, sleep=lambda seconds: None, **more)
    opened = A1111Server(client, "fox")
    opened.look()
    return A1111Painter(None, opened)


def test_a_picture_comes_with_what_was_compared(server):
    engine = painter(server)
    done = []
    images = engine.render([recipe(), recipe(seed=8)], lambda index, image: done.append(index))
    assert [image.size for image in images] == [(64, 64)] * 2
    assert done == [0, 1]
    assert [body["seed"] for _, body in server.asked] == [7, 8]
    facts = engine.environment()
    assert facts["server"] == A1111
    assert facts["version"] == "v1.10.1"
    assert facts["device"] == engine.device == "cuda"
    assert {"prompt", "seed", "size", "steps", "model", "noise from"} <= set(facts["compared"].split(", "))
    assert engine.digest == SHA
    assert SHA[:10] in engine.infotexts(recipe())[0]
    assert engine.batches([recipe(), recipe()]) == [[0], [1]]
    assert engine.files() == {}


LIES = [
    ({"seed": 8}, "seed"),
    ({"prompt": "a wolf"}, "prompt"),
    ({"steps": 3}, "steps"),
    ({"size": (72, 64)}, "size"),
    ({"model": "ab" * 32}, "model"),
    ({"rng": ""}, "the gpu"),
    ({"rng": "NV"}, "nv"),
    ({"count": 2}, "2"),
    ({"count": 0}, "none"),
    ({"format": "JPEG"}, "PNG"),
]


@pytest.mark.parametrize("lie, says", LIES, ids=str)
def test_a_picture_of_something_else_is_not_kept(server, lie, says):
    server.faults = [lie]
    done = []
    with pytest.raises(NotAsAsked, match=says):
        painter(server).render([recipe()], lambda index, image: done.append(index))
    assert done == []


def test_a_lora_that_was_left_out_is_seen(server):
    name = lora_name("ab" * 32)
    server.pages["/sdapi/v1/loras"] = [{"name": name, "path": "", "metadata": {}}]
    asked = recipe(adapters=(AdapterUse(digest="ab" * 32),))
    kohya = lora_file(small_lora())[1]
    engine = painter(server)
    server.faults = [
        {"loras": f"{name}: {kohya[:12]}"},
        {"loras": "other: 123456789012"},
        {"loras": f"{name}: 123456789012"},
    ]
    engine.render([asked], blob=lambda digest: small_lora())
    for says in ("left out", "1234"):
        with pytest.raises(NotAsAsked, match=says):
            engine.render([asked], blob=lambda digest: small_lora())


def test_a_flat_picture_is_broken_and_told(server):
    server.faults = [{"flat": True}]
    told = []
    painter(server).render([recipe()], broken=lambda index, refusal: told.append(refusal))
    assert [type(refusal) for refusal in told] == [BrokenPicture]
    server.faults = [{"flat": True}]
    with pytest.raises(BrokenPicture, match="flat"):
        painter(server).render([recipe()])


SAID_NO = [
    (
        (500, {"error": "OutOfMemoryError", "errors": "CUDA out of memory. Tried to allocate 2.00 GiB"}),
        ServerOutOfMemory,
        "medvram",
    ),
    ((500, {"error": "NansException", "errors": "A tensor with NaNs was produced"}), ServerFault, "NaNs"),
    ((404, {"detail": "Not Found"}), NoSuchPage, "--api"),
    ((422, {"detail": "Sampler not found"}), ServerFault, "Sampler not found"),
    ((200, b"<html>"), NotAsAsked, "JSON"),
]


@pytest.mark.parametrize("fault, kind, says", SAID_NO, ids=lambda value: str(value)[:20])
def test_what_would_fail_again_is_not_asked_again(server, fault, kind, says):
    server.faults = [fault]
    with pytest.raises(kind, match=says):
        painter(server).render([recipe()])
    assert len(server.asked) == 1


def test_a_broken_connection_is_asked_again(server):
    server.faults = ["break", (503, {"detail": "busy"}), None]
    assert len(painter(server).render([recipe()])) == 1
    assert len(server.asked) == 3


def test_a_server_that_stays_away_is_told_after_a_bounded_number_of_tries(server):
    server.faults = ["break"] * 99
    with pytest.raises(ServerGone, match=f"{room.A1111_TRIES} times") as refusal:
        painter(server).render([recipe()])
    assert refusal.value.exit_code == 3
    assert len(server.asked) == room.A1111_TRIES


def test_what_was_painted_before_a_fault_was_handed_over(server):
    server.faults = [None, (500, {"error": "RuntimeError"})]
    done = []
    with pytest.raises(ServerFault):
        painter(server).render([recipe(), recipe(seed=8)], lambda index, image: done.append(index))
    assert done == [0]


def test_a_server_that_came_back_with_another_checkpoint_paints_nothing_more(server):
    engine = painter(server)
    server.faults = ["break"]
    server.pages["/sdapi/v1/sd-models"][0]["sha256"] = "ab" * 32
    with pytest.raises(NotAsAsked, match="abab"):
        engine.render([recipe()])
    assert len(server.asked) == 1


def test_time_outs_are_told_and_not_repeated(server, monkeypatch):
    clock = iter([0.0, 700.0])
    monkeypatch.setattr(room.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(
        room, "request", lambda question, limit: (_ for _ in ()).throw(NoAnswer("h", "late", 0))
    )
    with pytest.raises(TooSlow, match="600 s"):
        A1111Client(server.url).ask("/sdapi/v1/txt2img", {})


def test_a_password_lets_in_and_is_never_repeated(server):
    server.login = "ada:correct horse"
    assert painter(server, login="ada:correct horse").digest == SHA
    for login in ("", "ada:wrong"):
        with pytest.raises(NotLetIn, match="keys/engines/NAME") as refusal:
            painter(server, login=login)
        assert "wrong" not in str(refusal.value)
    assert "correct" not in repr(A1111Client(server.url, "ada:correct horse"))


def test_lists_that_a_server_lacks_are_said(server):
    del server.pages["/sdapi/v1/schedulers"], server.pages["/sdapi/v1/loras"]
    engine = painter(server)
    assert engine.server.facts.lacks == ("schedulers", "loras")
    assert any("schedulers, loras" in note for note in engine.notes)


def test_programs_are_told_apart(server):
    client = A1111Client(server.url)
    assert ask_facts(client).kind == A1111
    server.pages["/sdapi/v1/options"]["forge_preset"] = "sd"
    assert ask_facts(client).kind == "Forge"
    server.pages["/sdapi/v1/version"] = {"app": "sd.next", "version": "2026-10"}
    assert (ask_facts(client).kind, ask_facts(client).version) == (SDNEXT, "2026-10")
    server.pages["/api/extra/version"] = {"result": "KoboldCpp", "version": "1.99"}
    assert (ask_facts(client).kind, ask_facts(client).version) == (KOBOLD, "1.99")
    # It fails with 500 where its folder of LoRAs can't be listed.
    for page in ({}, b"no JSON"):
        server.pages["/sdcpp/v1/capabilities"] = page
        assert ask_facts(client).kind == SDCPP


def test_a_server_without_the_api_is_told_so(server):
    server.pages.clear()
    with pytest.raises(NoSuchPage, match="--api"):
        painter(server)


def test_fixed_settings_are_sent_only_where_they_exist(server):
    painter(server).render([recipe()])
    sent = server.asked[0][1]["override_settings"]
    assert set(sent) - {"sd_model_checkpoint", "CLIP_stop_at_last_layers"} == set(FIXED_SETTINGS) & set(
        server.pages["/sdapi/v1/options"]
    )


def test_a_stated_digest_is_noted():
    server = A1111Server(
        A1111Client("http://127.0.0.1:1"),
        "tiny",
        facts=facts(SDCPP, models=(ServerModel("tiny", "tiny"),)),
        model=ServerModel("tiny", "tiny", SHA),
    )
    notes = server_notes(server)
    assert any("studio's word" in note for note in notes)
    assert any("--rng cpu" in note for note in notes)

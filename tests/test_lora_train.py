"An adapter: the same bytes every time, whatever interrupts it; alpha, lineage and pictures survive every layout."

import copy
import json
import signal
import subprocess
import sys
from dataclasses import replace

import diffusers
import pytest
import torch
from diffusers.optimization import get_scheduler

from artmint import lora_train
from artmint.lora_train import (
    CaptionsTooLong,
    NoTracker,
    OtherTraining,
    UnknownTarget,
    _rate,
    refuse_long_captions,
    refuse_untrainable,
    tracked,
    train,
)
from artmint.make.adapters import (
    NotAnAdapter,
    header_of,
    lineage_of,
    unpack_tensors,
)
from artmint.make.layouts import to_kohya
from artmint.train.examples import FarResolution
from artmint.train.families import UnknownFamily, UntrainableNoise
from artmint.train.settings import TrainConfig, UnknownOptimiser
from artmint.train.style import practice_style
from tests.styles import PROGRAM, SMALL, UNETS, sha
from tests.suites import some

# ---------------------------------------------------------------- training


@pytest.mark.parametrize("name", some(UNETS, ["sd1"]))
def test_twice_trained_is_the_same_file(bases, style, trained, tmp_path, name):
    assert sha(train(style, bases(name), TrainConfig(**SMALL), tmp_path / "again").read_bytes()) == sha(
        trained(name)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps, by", [(1, signal.SIGKILL), (4, signal.SIGKILL), (6, signal.SIGKILL), (5, signal.SIGINT)]
)
def test_killed_at_any_step_it_ends_in_the_same_bytes(bases, style, trained, tmp_path, steps, by):
    "And stopped with Ctrl-C in the middle of a step."
    base = bases("sd1")
    asked = [
        sys.executable,
        "-c",
        PROGRAM,
        str(bases("sd1").folder),
        str(style.folder),
        str(tmp_path),
        json.dumps(SMALL),
    ]
    running = subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in running.stdout:
        if int(line) == steps:
            break
    running.send_signal(by)
    running.wait()
    if by == signal.SIGINT:
        assert list(tmp_path.glob("adapter-00000[56]*"))
    assert not (tmp_path / "adapter-000007.safetensors").exists()
    assert sha(train(style, base, TrainConfig(**SMALL), tmp_path).read_bytes()) == sha(trained("sd1"))


def test_ctrl_c_leaves_a_checkpoint(bases, style, trained, tmp_path):
    def stop(step, loss):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(style, bases("sd1"), TrainConfig(**SMALL), tmp_path, progress=stop)
    assert (tmp_path / "adapter-000005.safetensors").exists()
    assert sha(train(style, bases("sd1"), TrainConfig(**SMALL), tmp_path).read_bytes()) == sha(trained("sd1"))


def test_a_tracker_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for kind in ("mlflow", "tensorboard"):
        with pytest.raises(NoTracker, match=kind), tracked(kind, "riso", tmp_path, TrainConfig()):
            pass
    with tracked("", "riso", tmp_path, TrainConfig()) as log:
        log(1, 0.5)


@pytest.mark.slow
def test_another_training_is_not_continued(bases, style, tmp_path):
    train(style, bases("sd1"), TrainConfig(**SMALL | {"steps": 1}), tmp_path)
    with pytest.raises(OtherTraining):
        train(style, bases("sd1"), TrainConfig(**SMALL | {"steps": 1, "rate": 1e-4}), tmp_path)


CHANGES = [
    {"text_encoder": True},
    {"noise_offset": 0.1},
    {"min_snr": 5.0},
    {"accumulate": 2},
    {"gradient_checkpointing": True},
    {"precision": "bfloat16"},
    {"optimiser": "Adafactor"},
    {"optimiser": "SGD"},
    {"schedule": "constant"},
    {"buckets": False},
]


@pytest.mark.slow
@pytest.mark.parametrize("change", some(CHANGES, CHANGES[:1]))
def test_every_setting_trains_and_repeats(bases, style, trained, tmp_path, change):
    config = TrainConfig(**SMALL | {"steps": 3} | change)
    first, again = (train(style, bases("sdxl"), config, tmp_path / part).read_bytes() for part in ("a", "b"))
    assert sha(first) == sha(again)
    assert all(t.isfinite().all() for t in unpack_tensors(first)[0].values())
    assert ("text_encoder_2" in {k.split(".")[0] for k in unpack_tensors(first)[0]}) == bool(
        change.get("text_encoder")
    )


@pytest.mark.slow
def test_prior_and_predecessor_stand_in_the_lineage(bases, style, trained, tmp_path):
    prior = practice_style(tmp_path / "prior", 3, 64, seed=2)
    data = train(
        style, bases("sd1"), TrainConfig(**SMALL), tmp_path / "more", prior, trained("sd1")
    ).read_bytes()
    lineage = lineage_of(data)
    assert (lineage.base, lineage.predecessor) == (bases("sd1").digest, sha(trained("sd1")))
    assert (lineage.data, lineage.prior) == (style.digest, prior.digest)
    assert (lineage.step, lineage.licences) == (7, ("Apache-2.0",))
    assert sha(data) != sha(trained("sd1"))


NOISES = {
    "EDMEulerScheduler": ({"sigma_data": 0.5}, "EDMEulerScheduler.*no schedule of betas"),
    "FlowMatchEulerDiscreteScheduler": ({}, "FlowMatch.*no schedule of betas"),
    "DDIMScheduler": ({"prediction_type": "sample"}, "predicts 'sample'"),
}


@pytest.mark.parametrize("name", NOISES)
def test_a_base_of_another_noise_is_refused_before_anything_is_written(bases, style, tmp_path, name):
    settings, reason = NOISES[name]
    pipe = copy.copy(bases("sdxl").pipeline)
    pipe.scheduler = getattr(diffusers, name)(**settings)
    base = replace(bases("sdxl"), pipeline=pipe)
    with pytest.raises(UntrainableNoise, match=reason):
        refuse_untrainable(style, base)
    with pytest.raises(UntrainableNoise, match="Nothing was trained"):
        train(style, base, TrainConfig(**SMALL), tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_what_cannot_be_trained_is_refused(bases, style, trained, tmp_path):
    sana = replace(bases("sd1"), pipeline=type("SanaPipeline", (), {})())
    with pytest.raises(UnknownFamily, match="FAMILIES"):
        train(style, sana, TrainConfig(**SMALL), tmp_path)
    with pytest.raises(UnknownOptimiser, match="AdamW"):
        train(style, bases("sd1"), TrainConfig(**SMALL | {"optimiser": "Adamm"}), tmp_path)
    with pytest.raises(NotAnAdapter, match="rank"):
        train(style, bases("sd1"), TrainConfig(**SMALL | {"rank": 5}), tmp_path, predecessor=trained("sd1"))
    assert not list(tmp_path.glob("adapter-*"))


# ---------------------------------------------------------------- settings


SETTINGS = [
    {"shuffle": True, "keep_tokens": 1, "caption_dropout": 0.3},
    {"conv_rank": 2, "conv_alpha": 1.0, "clip_skip": 2},
    {
        "text_encoder": True,
        "text_rate": 1e-3,
        "optimiser_args": {"betas": [0.8, 0.9]},
        "schedule": "linear",
    },
    {"optimiser": "Rprop", "schedule": "cosine_with_restarts", "cycles": 2},
]


@pytest.mark.slow
@pytest.mark.parametrize("change", some(SETTINGS, SETTINGS[:1]))
def test_broken_off_with_any_setting_it_ends_in_the_same_bytes(bases, style, tmp_path, change):
    config = TrainConfig(**SMALL | {"steps": 4, "every": 2} | change)

    def strike(step, loss):
        if step == 3:
            raise OSError("power cut")

    with pytest.raises(OSError):
        train(style, bases("sdxl"), config, tmp_path / "broken", progress=strike)
    again = train(style, bases("sdxl"), config, tmp_path / "broken").read_bytes()
    assert sha(again) == sha(train(style, bases("sdxl"), config, tmp_path / "once").read_bytes())


@pytest.mark.slow
def test_convolutions_have_their_own_rank_and_alpha_in_every_layout(bases, style, tmp_path):
    shape = {"rank": 4, "alpha": 2.0, "conv_rank": 2, "conv_alpha": 0.5, "steps": 1}
    data = train(style, bases("sdxl"), TrainConfig(**SMALL | shape), tmp_path).read_bytes()
    renamed, _ = unpack_tensors(to_kohya(data))
    shapes = set()
    for name, tensor in renamed.items():
        if name.endswith(".lora_down.weight"):
            alpha = renamed[name.replace(".lora_down.weight", ".alpha")]
            wide = tensor.dim() == 4 and tensor.shape[-1] > 1
            shapes.add((wide, len(tensor), float(alpha)))
    assert shapes == {(False, 4, 2.0), (True, 2, 0.5)}
    assert json.loads(header_of(data)["ss_network_args"]) == {"conv_dim": "2", "conv_alpha": "0.5"}


@pytest.mark.parametrize("schedule", ["linear", "polynomial", "cosine_with_restarts", "constant"])
def test_rates_are_those_of_diffusers_schedules(schedule):
    parameter = torch.nn.Parameter(torch.zeros(1))
    config = TrainConfig(schedule=schedule, steps=40, warmup=0, rate=0.1, cycles=3, power=2.0)
    optimiser = torch.optim.SGD([parameter], lr=config.rate)
    named = {"num_cycles": 3} if schedule == "cosine_with_restarts" else {}
    named |= {"power": 2.0} if schedule == "polynomial" else {}
    theirs = get_scheduler(schedule, optimiser, num_warmup_steps=0, num_training_steps=40, **named)
    for step in range(config.steps):
        assert _rate(config, step) == pytest.approx(theirs.get_last_lr()[0], abs=1e-6)
        optimiser.step()
        theirs.step()


@pytest.mark.slow
def test_text_encoders_learn_at_their_own_rate(bases, style, tmp_path):
    "A rate of nearly nothing leaves them as they were drawn, and the UNet goes on."
    both = SMALL | {"steps": 2, "text_encoder": True, "warmup": 0}
    start = lora_train._matrices(lora_train._adapted(bases("sd1"), TrainConfig(**both)))
    data = train(style, bases("sd1"), TrainConfig(**both, text_rate=1e-12), tmp_path).read_bytes()
    moved = {"unet": 0.0, "text_encoder": 0.0}
    for name, tensor in unpack_tensors(data)[0].items():
        part = name.split(".")[0]
        moved[part] = max(moved[part], float((tensor - start[name]).abs().max()))
    assert moved["text_encoder"] < 1e-6 < 1e-3 < moved["unet"]


def test_a_size_far_from_the_bases_own_has_to_be_asked_for(bases, style, tmp_path):
    for side in (8, 128):
        with pytest.raises(FarResolution, match="32"):
            train(style, bases("sd1"), TrainConfig(**SMALL | {"resolution": side}), tmp_path)
    assert not list(tmp_path.iterdir())
    named = {"resolution": None, "steps": 1}
    data = train(style, bases("sd1"), TrainConfig(**SMALL | named), tmp_path).read_bytes()
    assert lineage_of(data).config["resolution"] == 32
    assert header_of(data)["modelspec.resolution"] == "32x32"


def test_a_target_that_reaches_nothing_is_refused(bases, style, tmp_path):
    with pytest.raises(UnknownTarget, match="to_q"):
        train(style, bases("sd1"), TrainConfig(**SMALL | {"targets": ("to_k", "to_qq")}), tmp_path)


@pytest.mark.parametrize("name", UNETS)
def test_captions_that_would_be_cut_are_refused(bases, style, tmp_path, name):
    "With their file, their count and the limit; also where only the trigger pushes them over."
    limit = bases(name).pipeline.tokenizer.model_max_length
    inside = len(bases(name).pipeline.tokenizer(f"{style.trigger}, ").input_ids)
    for count in (limit - inside, limit - inside + 1):
        caption = "rings " * count
        pictures = (style.pictures[0].model_copy(update={"caption": caption}), *style.pictures[1:])
        longer = style.model_copy(update={"pictures": pictures})
        if count == limit - inside:
            refuse_long_captions(bases(name), longer)
            continue
        with pytest.raises(CaptionsTooLong, match=f"{style.pictures[0].file}: {limit + 1} tokens"):
            train(longer, bases(name), TrainConfig(**SMALL), tmp_path)
        refuse_long_captions(bases(name), longer, trigger=False)
    assert not list(tmp_path.iterdir())


def test_the_second_tokenizer_of_xl_counts_too(bases, style):
    from dataclasses import replace

    base = bases("sdxl")
    short = copy.copy(base.pipeline)
    short.tokenizer_2 = copy.deepcopy(base.pipeline.tokenizer_2)
    short.tokenizer_2.model_max_length = 5
    with pytest.raises(CaptionsTooLong, match="5 tokens"):
        refuse_long_captions(replace(base, pipeline=short), style)


# ---------------------------------------------------------------- what other tools read in the header


def sd_version(header: dict) -> str:
    "A1111's rule (extensions-builtin/Lora/network.py, detect_version)."
    if header.get("ss_base_model_version", "").startswith("sdxl_"):
        return "SDXL"
    return "SD2" if header.get("ss_v2") == "True" else "SD1"


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "name, version, architecture, prediction",
    [
        ("sd1", "SD1", "stable-diffusion-v1/lora", "epsilon"),
        ("sd2", "SD2", "stable-diffusion-v2-768-v/lora", "v"),
        ("sdxl", "SDXL", "stable-diffusion-xl-v1-base/lora", "epsilon"),
    ],
)
def test_other_tools_see_the_family_and_the_words(trained, style, name, version, architecture, prediction):
    data = to_kohya(trained(name))
    header = header_of(data)
    assert sd_version(header) == version
    assert header["modelspec.architecture"] == architecture
    assert header["modelspec.prediction_type"] == prediction
    minimum = "v2 base_model_version network_module network_dim network_alpha network_args"
    assert {f"ss_{key}" for key in minimum.split()} <= header.keys()
    assert json.loads(header["ss_network_args"]) == {"conv_dim": "4", "conv_alpha": "2.0"}
    (tags,) = json.loads(header["ss_tag_frequency"]).values()
    assert tags[style.trigger] == len(style.pictures)
    assert sum(tags.values()) == sum(len(caption.split(",")) for caption in style.captions())
    assert not [key for key in header if "date" in key or "time" in key.replace("timestep", "")]

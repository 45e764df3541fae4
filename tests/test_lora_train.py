"An adapter: the same bytes every time, whatever interrupts it; alpha, lineage and pictures survive every layout."

import hashlib
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from artmint.core.records import AdapterUse, Recipe
from artmint.lora_train import (
    NoTracker,
    OtherTraining,
    UnknownFamily,
    UnknownOptimiser,
    tracked,
    train,
)
from artmint.make.adapters import (
    ALPHAS,
    NotAnAdapter,
    from_kohya,
    layers_of,
    lineage_of,
    merge,
    original_name,
    pack_tensors,
    pack_word,
    peft_facts,
    to_kohya,
    unpack_tensors,
)
from artmint.make.base import load_base, load_judge
from artmint.make.engine import UnknownChoice
from artmint.make.render import render
from artmint.train.drawings import GROUNDS, MOTIFS, draw, subjects
from artmint.train.examples import TrainConfig
from artmint.train.style import BadStyleSet, draft_captions, load_style, practice_style, split_style
from tests.families import saved

SMALL = dict(steps=7, batch=3, rank=4, alpha=2.0, resolution=32, every=3, warmup=2, prior_batch=2, rate=5e-3)
UNETS = ("sd1", "sd2", "sdxl")


@pytest.fixture(scope="module")
def style(tmp_path_factory):
    return practice_style(tmp_path_factory.mktemp("style") / "riso", 6, 64)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    known = {}

    def base(name):
        if name not in known:
            known[name] = load_base(saved(name, tmp_path_factory.mktemp(name)))
        return known[name]

    return base


@pytest.fixture(scope="module")
def trained(bases, style, tmp_path_factory):
    "A family's adapter, trained for seven steps."
    known = {}

    def adapter(name):
        if name not in known:
            known[name] = train(
                style, bases(name), TrainConfig(**SMALL), tmp_path_factory.mktemp(name)
            ).read_bytes()
        return known[name]

    return adapter


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def painted(base, files: list[tuple[bytes, float]], **more) -> np.ndarray:
    "Two pictures by a recipe with these adapters."
    blobs = {sha(data): data for data, _ in files}
    facts = dict(base=base.digest, steps=3, guidance=4.0, width=32, height=32, profile="fast") | more
    recipes = [
        Recipe(
            prompt=p,
            seed=5,
            adapters=tuple(AdapterUse(digest=sha(data), weight=w) for data, w in files),
            **facts,
        )
        for p in ("riso print, waves", "rings")
    ]
    return np.stack([np.asarray(image).astype(int) for image in render(base, recipes, blob=blobs.get)])


# ---------------------------------------------------------------- training
@pytest.mark.parametrize("name", UNETS)
def test_twice_trained_is_the_same_file(bases, style, trained, tmp_path, name):
    assert sha(train(style, bases(name), TrainConfig(**SMALL), tmp_path / "again").read_bytes()) == sha(
        trained(name)
    )


PROGRAM = """
import sys
from pathlib import Path
from artmint.lora_train import train
from artmint.make.base import load_base
from artmint.train.examples import TrainConfig
from artmint.train.style import load_style
base, style, folder, settings = sys.argv[1:]
config = TrainConfig.model_validate_json(settings)
def report(step, loss):
    print(step, flush=True)

train(load_style(style, 32), load_base(base), config, Path(folder), progress=report)
"""


@pytest.mark.parametrize(
    "steps, by",
    [
        pytest.param(1, signal.SIGKILL, marks=pytest.mark.slow),
        (4, signal.SIGKILL),
        pytest.param(6, signal.SIGKILL, marks=pytest.mark.slow),
        (5, signal.SIGINT),
    ],
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


def test_a_part_of_the_set_is_held_out(style):
    learnt, held = split_style(style)
    assert (len(learnt.pictures), len(held.pictures)) == (5, 1)
    files, learnt_files, held_files = ({p.file for p in part.pictures} for part in (style, learnt, held))
    assert learnt_files | held_files == files
    assert learnt.digest != style.digest
    assert split_style(style) == (learnt, held)


def test_another_training_is_not_continued(bases, style, tmp_path):
    train(style, bases("sd1"), TrainConfig(**SMALL | {"steps": 1}), tmp_path)
    with pytest.raises(OtherTraining):
        train(style, bases("sd1"), TrainConfig(**SMALL | {"steps": 1, "rate": 1e-4}), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
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
    ],
)
def test_every_setting_trains_and_repeats(bases, style, trained, tmp_path, change):
    config = TrainConfig(**SMALL | {"steps": 3} | change)
    first, again = (train(style, bases("sdxl"), config, tmp_path / part).read_bytes() for part in ("a", "b"))
    assert sha(first) == sha(again)
    assert all(t.isfinite().all() for t in unpack_tensors(first)[0].values())
    assert ("text_encoder_2" in {k.split(".")[0] for k in unpack_tensors(first)[0]}) == bool(
        change.get("text_encoder")
    )


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


def test_what_cannot_be_trained_is_refused(bases, style, trained, tmp_path):
    with pytest.raises(UnknownFamily, match="CONDITIONS"):
        train(style, bases("sd3"), TrainConfig(**SMALL), tmp_path)
    with pytest.raises(UnknownOptimiser, match="AdamW"):
        train(style, bases("sd1"), TrainConfig(**SMALL | {"optimiser": "Adamm"}), tmp_path)
    with pytest.raises(NotAnAdapter, match="rank"):
        train(style, bases("sd1"), TrainConfig(**SMALL | {"rank": 5}), tmp_path, predecessor=trained("sd1"))
    assert not list(tmp_path.glob("adapter-*"))


# ---------------------------------------------------------------- exchange
@pytest.mark.parametrize("name", UNETS)
def test_kohya_and_back_changes_no_bit_and_no_picture(bases, trained, name):
    base = bases(name)
    data = trained(name)
    kohya = to_kohya(data)
    back, facts = unpack_tensors(from_kohya(kohya, base.pipeline))
    own, own_facts = unpack_tensors(data)
    assert set(back) == set(own)
    assert all(torch.equal(back[name], own[name]) for name in own)
    assert sha(to_kohya(from_kohya(kohya, base.pipeline))) == sha(kohya)
    assert facts == own_facts
    plain = painted(base, [])
    ours = painted(base, [(data, 1.0)])
    theirs = painted(base, [(kohya, 1.0)])
    assert np.abs(ours - plain).max() > 8
    assert np.abs(ours - theirs).max() <= 1


ALPHA: dict[tuple[str, str], float] = {}


def everywhere(base, targets: tuple[str, ...]) -> bytes:
    "A random adapter for every layer of a base that diffusers' loader knows, alphas of their own."
    make = torch.Generator().manual_seed(3)
    tensors = {}
    layers = {}
    for part in ("unet", "text_encoder", "text_encoder_2"):
        network = getattr(base.pipeline, part, None)
        for name, module in network.named_modules() if network is not None else ():
            if not name.endswith(targets) or not hasattr(module, "weight"):
                continue
            wide = module.weight.shape[1]
            high = module.weight.shape[0]
            kernel = tuple(module.weight.shape[2:])
            layer = f"text_model.{name}" if part != "unet" and not name.startswith("text_model.") else name
            tensors[f"{part}.{layer}.lora_A.weight"] = torch.randn(2, wide, *kernel, generator=make) * 0.2
            tensors[f"{part}.{layer}.lora_B.weight"] = (
                torch.randn(high, 2, *(1 for _ in kernel), generator=make) * 0.2
            )
            layers[part, layer] = (2, ALPHA.setdefault((part, layer), 1.0 + len(layers) % 3))
    family = (
        "stable-diffusion-xl-v1-base/lora"
        if "XL" in type(base.pipeline).__name__
        else "stable-diffusion-v1/lora"
    )
    return pack_tensors(tensors, {ALPHAS: peft_facts(layers), "modelspec.architecture": family})


@pytest.mark.parametrize(
    "name, targets",
    [
        ("sd1", ("to_q", "to_out.0", "conv1", "q_proj", "out_proj")),
        (
            "sdxl",
            (
                "to_q",
                "to_out.0",
                "net.2",
                "proj_in",
                "conv1",
                "conv2",
                "time_emb_proj",
                "conv_shortcut",
                "q_proj",
                "out_proj",
            ),
        ),
    ],
)
def test_every_kind_of_layer_goes_to_kohya_and_back(bases, name, targets):
    "Names, bits and pictures; the text encoders' layers are called as every tool calls them."
    base = bases(name)
    ours = everywhere(base, targets)
    kohya = to_kohya(ours)
    names = set(unpack_tensors(kohya)[0])
    assert from_kohya(kohya, base.pipeline) == ours
    assert any(
        n.startswith(("lora_te_text_model_encoder_layers_0", "lora_te1_text_model_encoder_layers_0"))
        for n in names
    )
    if name == "sdxl":
        assert not [n for n in names if "down_blocks" in n or "mid_block" in n or "up_blocks" in n]
        assert any(n.startswith("lora_te2_text_model_") for n in names)
    for file in (ours, kohya):
        moved = load_base(base.folder)
        merge(moved.pipeline, [(file, 0.7)])
        for (part, layer), sides in layers_of(unpack_tensors(ours)[0]).items():
            before, after = (getattr(of.pipeline, part) for of in (base, moved))
            short = part != "unet" and not hasattr(before, "text_model")
            own = layer.removeprefix("text_model.") if short else layer
            weight = before.get_submodule(own).weight
            product = sides["lora_B"].flatten(1) @ sides["lora_A"].flatten(1)
            wanted = weight + 0.7 * ALPHA[part, layer] / 2 * product.view_as(weight)
            assert torch.allclose(after.get_submodule(own).weight, wanted, atol=1e-5), layer


# Names as kohya's own files for SDXL have them.
SDXL = {
    "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q": "input_blocks.4.1.transformer_blocks.0.attn1.to_q",
    "down_blocks.2.attentions.1.proj_in": "input_blocks.8.1.proj_in",
    "mid_block.attentions.0.transformer_blocks.9.ff.net.2": "middle_block.1.transformer_blocks.9.ff.net.2",
    "mid_block.resnets.1.conv2": "middle_block.2.out_layers.3",
    "up_blocks.0.attentions.2.transformer_blocks.0.attn2.to_k": "output_blocks.2.1.transformer_blocks.0.attn2.to_k",
    "up_blocks.1.attentions.0.proj_out": "output_blocks.3.1.proj_out",
    "down_blocks.0.resnets.1.conv1": "input_blocks.2.0.in_layers.2",
    "down_blocks.1.downsamplers.0.conv": "input_blocks.6.0.op",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.2.2.conv",
    "up_blocks.2.resnets.0.conv_shortcut": "output_blocks.6.0.skip_connection",
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "add_embedding.linear_1": "label_emb.0.0",
}


def test_stabilitys_names_of_sdxl():
    assert {layer: original_name(layer) for layer in SDXL} == SDXL
    for layer in (
        "down_blocks",
        "class_embedding",
        "down_blocks.0.resnets.0.norm1",
        "mid_block.nothing.0.conv1",
    ):
        with pytest.raises(NotAnAdapter, match="no layer"):
            original_name(layer)


@pytest.mark.parametrize("name", UNETS)
def test_alpha_is_not_lost(bases, trained, name):
    "Alpha 2 at rank 4 is half as strong as alpha 4; a loader that drops it can't tell them apart."
    base = bases(name)
    tensors, facts = unpack_tensors(trained(name))
    config = json.loads(facts[ALPHAS]) | {"unet.lora_alpha": 4.0}
    louder = pack_tensors(tensors, facts | {ALPHAS: json.dumps(config)})
    wanted = painted(base, [(trained(name), 1.0)])
    assert np.abs(painted(base, [(louder, 0.5)]) - wanted).max() <= 1
    assert np.abs(painted(base, [(to_kohya(louder), 0.5)]) - wanted).max() <= 1


@pytest.mark.parametrize("profile, layout", [("fast", bytes), ("portable", bytes), ("fast", to_kohya)])
def test_merged_is_what_diffusers_applies(bases, trained, tmp_path, profile, layout):
    "Against the plain pipeline with the adapter loaded and not merged, in peft's and in kohya's layout."
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    base = bases("sd1")
    (tmp_path / "a.safetensors").write_bytes(layout(trained("sd1")))
    plain = StableDiffusionPipeline.from_pretrained(
        base.folder, torch_dtype=torch.float32, safety_checker=None
    )
    plain.load_lora_weights(tmp_path, weight_name="a.safetensors", adapter_name="a")
    plain.set_adapters(["a"], [0.7])
    plain.scheduler = DDIMScheduler.from_config(base.pipeline.scheduler.config)
    theirs = plain(
        "rings",
        num_inference_steps=3,
        guidance_scale=4.0,
        width=32,
        height=32,
        generator=torch.Generator().manual_seed(5),
        output_type="np",
    ).images[0]
    assert (
        np.abs(
            painted(base, [(layout(trained("sd1")), 0.7)], profile=profile)[1] - (theirs * 255).round()
        ).max()
        <= 1
    )


def test_several_weighted_adapters(bases, style, trained, tmp_path):
    base = bases("sd1")
    other = train(style, base, TrainConfig(**SMALL | {"seed": 9}), tmp_path).read_bytes()
    both = painted(base, [(trained("sd1"), 0.6), (other, -0.4)])
    one = painted(base, [(trained("sd1"), 0.6)])
    none = painted(base, [])
    assert np.abs(both - one).max() > 2
    assert np.array_equal(painted(base, [(trained("sd1"), 0.0)]), none)
    assert np.array_equal(painted(base, []), none)


def test_adapters_change_the_dna():
    plain = Recipe(base="0" * 64, prompt="", seed=1, width=8, height=8)
    uses = [
        plain.model_copy(update={"adapters": (AdapterUse(digest=d * 64, weight=w),)}).dna
        for d in "ab"
        for w in (0.5, 1.0)
    ]
    assert len({plain.dna, *uses}) == 5


HOSTILE = {
    "no safetensors": (b"PK\3\4", "no safetensors"),
    "empty": (pack_tensors({}, {}), "empty"),
    "other layers": (
        pack_tensors(
            {
                "unet.nowhere.to_q.lora_A.weight": torch.zeros(2, 4),
                "unet.nowhere.to_q.lora_B.weight": torch.zeros(4, 2),
            },
            {},
        ),
        None,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_adapter_is_refused(bases, name):
    data, word = HOSTILE[name]
    with pytest.raises(NotAnAdapter, match=word):
        painted(bases("sd1"), [(data, 1.0)])


def test_half_an_adapter_has_no_kohya_layout():
    with pytest.raises(NotAnAdapter, match="one matrix of two"):
        to_kohya(pack_tensors({"unet.a.lora_A.weight": torch.zeros(2, 4)}, {}))
    with pytest.raises(NotAnAdapter, match="no LoRA matrix"):
        to_kohya(pack_tensors({"weight": torch.zeros(2, 4)}, {}))


def test_files_are_needed(bases):
    with pytest.raises(UnknownChoice, match="none are at hand"):
        render(
            bases("sd1"),
            [
                Recipe(
                    base=bases("sd1").digest,
                    prompt="",
                    seed=1,
                    width=32,
                    height=32,
                    profile="fast",
                    adapters=(AdapterUse(digest="0" * 64),),
                )
            ],
        )


# ---------------------------------------------------------------- words
def test_an_embedding_seed_is_a_word_of_the_prompt(bases):
    base = bases("sd1")
    vector = torch.randn(2, 32, generator=torch.Generator().manual_seed(1))
    word = pack_word(pack_tensors({"emb_params": vector}, {}), "<studio>")

    def paint(prompt, files):
        recipe = Recipe(
            base=base.digest,
            prompt=prompt,
            seed=3,
            steps=3,
            guidance=4.0,
            width=32,
            height=32,
            profile="fast",
            embeddings=tuple(sha(f) for f in files),
        )
        return np.asarray(render(base, [recipe], blob={sha(f): f for f in files}.get)[0])

    assert np.array_equal(paint("rings", [word]), paint("rings", []))
    assert not np.array_equal(paint("<studio> rings", [word]), paint("<studio> rings", []))
    with pytest.raises(NotAnAdapter, match="doesn't name its word"):
        pack_word(pack_tensors({"emb_params": vector}, {}))
    with pytest.raises(NotAnAdapter, match="wide"):
        paint("rings", [pack_tensors({"<w>": torch.zeros(1, 8)}, {})])


# ---------------------------------------------------------------- style sets
def test_a_style_set_is_named_by_all_that_it_says(style, tmp_path):
    again = practice_style(tmp_path / "elsewhere", 6, 64)
    assert again.digest == style.digest
    (tmp_path / "elsewhere" / "001.txt").write_text("another caption")
    assert load_style(tmp_path / "elsewhere").digest != style.digest


def test_captions_may_come_in_one_file(tmp_path):
    style = practice_style(tmp_path / "a", 3, 64)
    rows = [json.dumps({"file_name": p.file, "text": p.caption}) for p in style.pictures]
    for text in style.folder.glob("*.txt"):
        text.unlink()
    (style.folder / "metadata.jsonl").write_text("\n".join(rows))
    assert load_style(style.folder).digest == style.digest


def test_captions_are_drafted_by_the_judge():
    dense = [s for s in subjects() if s.density == "dense" and s.placement == "centred"]
    shown = [s for s in dense if s.motif != "nebula"][::5]
    drawn = [draw(s, 9000 + i) for i, s in enumerate(shown)]
    words = {"subject": list(MOTIFS), "ground": [f"mountains on {g}" for g in GROUNDS]}
    drafts = draft_captions(drawn, load_judge(), words)
    right = [s.motif in draft.split(", ")[0] for s, draft in zip(shown, drafts)]
    assert sum(right) >= 0.7 * len(shown)
    assert all(draft.count(", ") == 1 for draft in drafts)


@pytest.mark.parametrize(
    "break_it, word",
    [
        (lambda f: (f / "001.png").write_bytes((f / "001.png").read_bytes()[:500]), "001.png: can't be read"),
        (lambda f: (f / "002.txt").unlink(), "002.png: it has no caption"),
        (lambda f: Image.new("I;16", (64, 64)).save(f / "003.png"), "003.png: its mode"),
        (lambda f: Image.new("RGB", (16, 64)).save(f / "003.png"), "smaller than 64"),
        (lambda f: Image.new("RGBA", (64, 64), (0, 0, 0, 9)).save(f / "003.png"), "transparent"),
        (
            lambda f: (f / "002.png").write_bytes((f / "003.png").read_bytes()),
            "003.png: shows the same as 002.png",
        ),
        (lambda f: (f / "style.toml").write_text('name = "a"\ntrigger = "b"\n'), "no rights"),
        (lambda f: (f / "style.toml").write_text("name = "), "style.toml"),
        (
            lambda f: (f / "style.toml").write_text(
                'name = "a"\ntriger = "b"\n[rights.default]\nauthor = "a"\nlicence = "b"\nconsent = "c"\n'
            ),
            "is it trigger",
        ),
        (lambda f: [p.unlink() for p in f.glob("0*")], "no pictures"),
    ],
)
def test_every_fault_of_a_style_set_is_named(tmp_path, break_it, word):
    folder = practice_style(tmp_path / "style", 3, 64).folder
    break_it(folder)
    with pytest.raises(BadStyleSet, match=word):
        load_style(folder)

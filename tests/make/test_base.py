"A base is named by what determines pixels; a pickle is never loaded."

import ctypes
import hashlib
import io
import json
import os
import pickle
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from artmint.core.canon import Refusal
from artmint.core.collection import BaseFiles
from artmint.make.adapters import header_of, pack_tensors, read_adapter, unpack_tensors
from artmint.make.base import (
    DATA_FOLDER,
    CodeInModel,
    NoSuchBase,
    NotFinite,
    PickledWeights,
    base_name,
    program_of,
    collection_base,
    fingerprint,
    load_base,
    load_judge,
    plain_view,
    weights_files,
    why_no_tensors,
    _reuse_memory,
)
from artmint.make.embeddings import read_embedding
from artmint.make.ip_adapters import read_ip_adapter
from artmint.make.upscalers import load_upscaler, read_upscaler
from artmint.publish.tokens import public_source
from artmint.train.drawings import draw, subjects
from tests.suites import some


@pytest.fixture(scope="module")
def base():
    return load_base()


@pytest.fixture
def copy(tmp_path) -> Path:
    "The bundled base as a local folder."
    return Path(shutil.copytree(DATA_FOLDER / "base", tmp_path / "base"))


def test_the_figures_are_those_of_the_bundled_models(base):
    "Whoever bundles other weights has to measure them."
    measured = json.loads((DATA_FOLDER / "measured.json").read_text())
    assert (measured["base"], measured["judge"]) == (base.digest, load_judge().digest)


FAULTS = """
import resource
import artmint.make.base
import numpy as np
np.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    np.ones(2**23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**more: str) -> int:
    "Pages that are fetched from the system for eight arrays of 64 MiB, one after another, once there was one."
    plain = {name: word for name, word in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    told = subprocess.run([sys.executable, "-c", FAULTS], env=plain | more, capture_output=True, check=True)
    return int(told.stdout)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="another C library keeps memory by rules of its own"
)
def test_a_tensor_takes_the_memory_of_the_one_before_unless_a_studio_says_otherwise():
    page = os.sysconf("SC_PAGE_SIZE")
    assert faults() < 2**26 / page / 8
    assert faults(MALLOC_TRIM_THRESHOLD_=str(2**17)) > 8 * faults()


class OlderGlibc:
    "mallopt as it was: it refuses to have more than 32 MiB in the heap, and what is set at all no longer adapts."

    def __init__(self, _):
        self.settings = {-3: 2**17, -1: 2**17}
        OlderGlibc.last = self

    def mallopt(self, setting: int, value: int) -> int:
        if setting == -3 and value > 2**25:
            return 0
        self.settings[setting] = value
        return 1


def test_an_older_glibc_keeps_what_it_can(monkeypatch):
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.31"))
    monkeypatch.setattr(ctypes, "CDLL", OlderGlibc)
    _reuse_memory()
    assert OlderGlibc.last.settings == {-3: 2**25, -1: 2**30}


def test_packaging_does_not_change_the_digest(base, copy):
    for path in copy.rglob("*.safetensors"):
        save_file(
            {k: v.float() for k, v in load_file(path).items()}, path, {"format": "pt", "by": "another tool"}
        )
    scheduler = copy / "scheduler" / "scheduler_config.json"
    scheduler.write_text(
        json.dumps(
            json.loads(scheduler.read_text())
            | {"_diffusers_version": "0.1.0", "eta_in_some_later_version": 0.0}
        )
    )
    assert load_base(copy).digest == base.digest


@pytest.mark.parametrize(
    "part, change",
    [
        ("scheduler/scheduler_config.json", {"beta_end": 0.013}),
        ("unet/config.json", {"flip_sin_to_cos": False}),
        ("vae/config.json", {"scaling_factor": 0.5}),
    ],
)
def test_another_setting_is_another_base(base, copy, part, change):
    (copy / part).write_text(json.dumps(json.loads((copy / part).read_text()) | change))
    assert load_base(copy).digest != base.digest


def test_one_changed_weight_is_another_base(base, copy):
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    name = sorted(weights)[0]
    values = weights[name].view(-1)
    values[0] = torch.nextafter(values[0], torch.tensor(9, dtype=values.dtype))
    save_file(weights, path, {"format": "pt"})
    assert load_base(copy).digest != base.digest


def test_another_vocabulary_is_another_base(base, copy):
    path = copy / "tokenizer" / "tokenizer.json"
    words = json.loads(path.read_text())
    vocabulary = words["model"]["vocab"]
    one, other = sorted(vocabulary, key=vocabulary.get)[100:102]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    path.write_text(json.dumps(words))
    assert load_base(copy).digest != base.digest


def test_the_files_are_enough_to_load_it_elsewhere(base, tmp_path):
    for name, file in weights_files(base).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(file.read_bytes())
    assert fingerprint(load_base(tmp_path).pipeline) == base.digest


class Canary:
    "Runs code when it is unpickled."

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


PICKLED = ["diffusion_pytorch_model.bin", "model.ckpt", "weights.pt", "x.pkl", "optimizer.bin"]


@pytest.mark.parametrize("name", PICKLED)
@pytest.mark.parametrize("network", ["unet", "text_encoder", "vae"])
def test_pickles_that_would_be_read_are_refused_before_they_run(copy, tmp_path, network, name):
    for path in (copy / network).glob("*.safetensors"):
        path.unlink()
    target = copy / network / name
    target.write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    with pytest.raises(PickledWeights, match=target.name):
        load_base(copy)
    assert not (tmp_path / "canary").exists()


def test_a_pickle_is_no_base_whatever_its_ending(tmp_path):
    for name in ("model.ckpt", "MODEL.CKPT", "a.pt", "model.SafeTensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
        with pytest.raises((PickledWeights, NoSuchBase)):
            load_base(tmp_path / name)
    assert not (tmp_path / "canary").exists()


def test_pickles_that_lie_about_unread_are_left_alone(base, copy, tmp_path):
    "As in a clone of nearly any hub repository."
    places = [f"unet/{name}" for name in PICKLED]
    places += [
        "optimizer.pt",
        "training_args.bin",
        "safety_checker/pytorch_model.bin",
        "text_encoder/pytorch_model.bin",
    ]
    places += ["deep/er/weights.pt", "random_states_0.pkl"]
    for name in places:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    loaded = load_base(copy)
    assert loaded.digest == base.digest
    assert not (tmp_path / "canary").exists()
    assert all(file.suffix not in (".bin", ".pt", ".pkl") for file in weights_files(loaded).values())


def test_a_pickle_beside_a_judge_is_never_opened_and_one_alone_is_refused(tmp_path):
    shutil.copytree(DATA_FOLDER / "judge", tmp_path / "judge")
    (tmp_path / "judge" / "open_clip_pytorch_model.bin").write_bytes(
        pickle.dumps(Canary(tmp_path / "canary"))
    )
    assert load_judge(tmp_path / "judge").digest == load_judge().digest
    (tmp_path / "judge" / "open_clip_model.safetensors").unlink()
    with pytest.raises(PickledWeights):
        load_judge(tmp_path / "judge")
    assert not (tmp_path / "canary").exists()


def test_a_folder_with_code_of_its_own_is_refused(copy, tmp_path):
    index = json.loads((copy / "model_index.json").read_text())
    code = f"from pathlib import Path; Path({str(tmp_path / 'canary')!r}).touch()"
    for name, change in (("own", {"_class_name": ["own", "Own"]}), ("mine", {"unet": ["mine", "Mine"]})):
        (copy / f"{name}.py").write_text(code)
        (copy / "model_index.json").write_text(json.dumps(index | change))
        with pytest.raises(NoSuchBase, match="of its own|of a class"):
            load_base(copy)
    assert not (tmp_path / "canary").exists()


# ---------------------------------------------------------------- files as studios have them


def renamed(folder: Path, variant: str, networks=("unet", "vae", "text_encoder")) -> None:
    "Give networks' files a variant in their names."
    for network in networks:
        plain = [path for path in (folder / network).glob("*.safetensors") if path.name.count(".") == 1]
        for path in plain:
            path.rename(path.with_name(path.name.replace(".safetensors", f".{variant}.safetensors")))


def test_a_variant_is_found_where_there_are_no_plain_files_and_is_said(base, copy, tmp_path):
    renamed(copy, "fp16")
    loaded = load_base(copy)
    assert loaded.digest == base.digest
    assert loaded.notes == ("its files say variant = 'fp16'",)
    assert loaded.files.variant == "fp16"
    for name, file in weights_files(loaded).items():
        (tmp_path / "there" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "there" / name).write_bytes(file.read_bytes())
    assert load_base(tmp_path / "there").digest == base.digest


def test_plain_files_go_before_variants_unless_one_is_named(base, copy):
    for network in ("unet", "vae", "text_encoder"):
        for path in (copy / network).glob("*.safetensors"):
            weights = {key: value * 2 for key, value in load_file(path).items()}
            save_file(weights, path.with_name(path.name.replace(".saf", ".other.saf")), {"format": "pt"})
    assert load_base(copy).digest == base.digest
    assert not any("other" in name for name in weights_files(load_base(copy)))
    other = load_base(copy, files=BaseFiles(variant="other"))
    assert other.digest != base.digest
    assert sum("other" in name for name in weights_files(other)) == 3
    with pytest.raises(NoSuchBase):
        load_base(copy, files=BaseFiles(variant="fp8"))
    renamed(copy, "fp16")
    with pytest.raises(NoSuchBase, match="fp16.*other.*name one"):
        load_base(copy)


def test_a_path_with_nothing_there_is_named(tmp_path):
    missing = tmp_path / "models" / "base"
    for source in (missing, "./models/base", "models/sd/base", missing.with_suffix(".safetensors")):
        with pytest.raises(NoSuchBase, match="seen from"):
            load_base(source)
    (tmp_path / "flux.gguf").write_bytes(b"GGUF")
    with pytest.raises(NoSuchBase, match=r"\.gguf file is not read"):
        load_base(tmp_path / "flux.gguf")
    for name in ("config", "vae"):
        with pytest.raises(NoSuchBase, match=rf"\[base\] {name}"):
            load_base(files=BaseFiles(**{name: str(missing)}))


# ---------------------------------------------------------------- what a collection says of its base


def test_a_collection_names_its_base_and_what_its_files_do_not_say(copy):
    from artmint.core.collection import example
    from artmint.seeds import load_collection

    demo = load_collection(example())
    plain = collection_base(demo)
    assert plain.digest == load_base().digest
    said = BaseFiles(prediction_type="epsilon", zero_snr=False)
    generation = demo.generation.model_copy(update={"base": str(copy)})
    other = collection_base(demo.model_copy(update={"generation": generation, "base": said}))
    config = other.pipeline.scheduler.config
    assert (config.prediction_type, config.rescale_betas_zero_snr) == ("epsilon", False)
    assert other.digest != plain.digest
    assert weights_files(other) == {}


@pytest.mark.slow
def test_another_vae_is_another_base(base, copy, tmp_path):
    for path in (copy / "vae").glob("*.safetensors"):
        save_file({key: value * 1.01 for key, value in load_file(path).items()}, path, {"format": "pt"})
    for place in (copy / "vae", copy):
        other = load_base(files=BaseFiles(vae=str(place)))
        assert other.digest == load_base(copy).digest != base.digest
    from tests.families import saved

    with pytest.raises(NoSuchBase, match="channels and levels"):
        load_base(files=BaseFiles(vae=str(saved("sd1", tmp_path / "sd1") / "vae")))


@pytest.fixture(scope="module")
def sd1(tmp_path_factory):
    from tests.families import saved

    return saved("sd1", tmp_path_factory.mktemp("sd1"))


def checkpoint(sd1: Path, path: Path, more: tuple = (), less: str = "no such prefix") -> Path:
    "The tiny base as one file, with more tensors, or fewer."
    from tests.families import single_file

    single_file(load_base(sd1).pipeline, path)
    weights = {key: value for key, value in load_file(path).items() if not key.startswith(less)}
    save_file(weights | {name: torch.zeros(1) for name in more}, path)
    return path


@pytest.mark.slow
def test_marks_in_a_single_file_say_what_it_predicts(sd1, tmp_path):
    file = checkpoint(sd1, tmp_path / "merge.safetensors", ("v_pred", "ztsnr"))
    marked = load_base(file, config=sd1)
    config = marked.pipeline.scheduler.config
    assert (config.prediction_type, config.rescale_betas_zero_snr) == ("v_prediction", True)
    assert len(marked.notes) == 2
    overruled = load_base(file, config=sd1, files=BaseFiles(prediction_type="epsilon", zero_snr=False))
    assert overruled.pipeline.scheduler.config.prediction_type == "epsilon"
    assert len({marked.digest, overruled.digest}) == 2
    unmarked = checkpoint(sd1, tmp_path / "plain.safetensors")
    assert load_base(unmarked, config=sd1).digest == load_base(sd1).digest
    said = BaseFiles(prediction_type="v_prediction", zero_snr=True, config=str(sd1))
    assert load_base(unmarked, files=said).digest == marked.digest


@pytest.mark.slow
def test_a_single_files_own_hash_is_what_others_find_it_by(sd1, tmp_path, base):
    file = checkpoint(sd1, tmp_path / "plain.safetensors")
    assert load_base(file, config=sd1).file_hash == hashlib.sha256(file.read_bytes()).hexdigest()[:10]
    assert base.file_hash is None
    assert load_base(sd1).file_hash is None


@pytest.mark.slow
def test_an_ending_in_capitals_is_an_ending(sd1, tmp_path):
    file = checkpoint(sd1, tmp_path / "a.safetensors")
    capitals = file.rename(tmp_path / "A.SAFETENSORS")
    assert load_base(capitals, config=sd1).digest == load_base(sd1).digest


@pytest.mark.slow
def test_a_single_file_without_its_vae_takes_another(sd1, tmp_path):
    file = checkpoint(sd1, tmp_path / "bare.safetensors", less="first_stage_model.")
    with pytest.raises(NoSuchBase, match=r"no VAE in it.*\[base\] vae"):
        load_base(file, config=sd1)
    for vae in (sd1 / "vae", sd1, next((sd1 / "vae").glob("*.safetensors"))):
        own = load_base(file, files=BaseFiles(config=str(sd1), vae=str(vae)))
        assert own.digest == load_base(sd1).digest


@pytest.mark.parametrize(
    "tensors, word",
    [
        (("model.diffusion_model.double_blocks.0.img_attn.proj.weight",), "FLUX"),
        (("double_blocks.0.img_attn.proj.weight",), "FLUX"),
        (("model.diffusion_model.joint_blocks.0.x",), "Stable Diffusion 3"),
        (("model.diffusion_model.a", "conditioner.embedders.0.model.b"), "refiner"),
    ],
)
def test_other_single_files_are_refused_by_name(tmp_path, tensors, word):
    save_file({name: torch.zeros(1) for name in tensors}, tmp_path / "a.safetensors")
    with pytest.raises(NoSuchBase, match=word):
        load_base(tmp_path / "a.safetensors")


def test_a_single_file_without_its_text_encoder_is_refused_by_name(sd1, tmp_path):
    file = checkpoint(sd1, tmp_path / "bare.safetensors", less="cond_stage_model.")
    with pytest.raises(NoSuchBase, match="no text encoder in it"):
        load_base(file, config=sd1)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(NoSuchBase, match=tmp_path.name):
        load_base(tmp_path)
    with pytest.raises(NoSuchBase, match="open_clip_config"):
        load_judge(tmp_path)


def test_a_picture_is_embedded_alike_in_every_row_whatever_the_threads():
    "A product of matrices that two threads share differs in its last digit from row to row."
    judge, before = load_judge(), torch.get_num_threads()
    images = [draw(subject, number) for number, subject in enumerate(subjects()[:120:3])]  # three batches
    try:
        torch.set_num_threads(2)
        forth, back = judge.encode_images(images), judge.encode_images(images[::-1])[::-1]
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        alone = judge.encode_images(images)
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(forth, back)
    assert np.array_equal(forth, alone)


@pytest.mark.slow
def test_embeddings_depend_on_nothing_beside_the_picture():
    judge = load_judge()
    images = [draw(s, i) for i, s in enumerate(np.random.default_rng(3).choice(subjects(), 23))]
    together = judge.encode_images(images)
    for size in (1, 7):
        apart = np.concatenate([judge.encode_images(images[i : i + size]) for i in range(0, 23, size)])
        assert np.array_equal(apart, together)
    assert np.array_equal(judge.encode_images(images[::-1])[::-1], together)
    assert np.allclose(np.linalg.norm(together, axis=1), 1)


# ---------------------------------------------------------------- the hub's cache


@pytest.fixture
def hub(tmp_path, monkeypatch):
    "A cache as huggingface_hub lays it out, with the bundled base in it under a commit, and no way out."
    from huggingface_hub import constants

    commit = "4" * 40
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    place = tmp_path / "cache" / "models--our--base"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    shutil.copytree(load_base().folder, place / "snapshots" / commit)
    return commit


@pytest.mark.slow
def test_a_base_from_the_hub_is_named_with_its_commit_and_can_be_published(hub):
    base = load_base("our/base")
    assert base.digest == load_base().digest
    assert (base.source, base.origin, base.name) == ("our/base", f"our/base@{hub}", "base")
    assert set(weights_files(base)) == set(weights_files(load_base()))
    again = load_base(base.origin)
    assert (again.digest, again.origin) == (base.digest, base.origin)
    assert public_source(base.origin) == base.origin and base_name(base.origin) == base.name
    with pytest.raises(NoSuchBase, match="two revisions"):
        load_base(base.origin, revision="5" * 40)
    assert load_base().origin == "bundled"


@pytest.mark.parametrize(
    "name, text",
    [
        ("None.py", "raise SystemExit('code ran')"),
        ("unet/my_unet.py", "raise SystemExit('code ran')"),
        ("unet/weights.BIN", "pickled"),
        ("tokenizer/evil.so", "code"),
        ("vae/model.onnx", "code"),
    ],
)
def test_libraries_see_no_file_that_could_be_code(copy, name, text):
    (copy / name).write_text(text)
    with plain_view(copy) as view:
        assert (view / "unet" / "config.json").is_file()
        assert {path.suffix for path in view.rglob("*") if path.is_file()} == {".json", ".safetensors"}


@pytest.mark.parametrize(
    "file, change",
    [
        ("text_encoder/config.json", {"_attn_implementation_internal": "evil-org/evil-kernel"}),
        ("text_encoder/config.json", {"inner": [{"attn_implementation": "evil-org/evil-kernel"}]}),
        ("unet/config.json", {"auto_map": {"AutoModel": "my_unet.My"}}),
        ("text_encoder/config.json", {"quantization_config": {"quant_method": "gptq"}}),
        ("tokenizer/tokenizer_config.json", {"tokenizer_file": "/etc/passwd"}),
        ("scheduler/scheduler_config.json", {"_module": "os"}),
    ],
)
def test_a_configuration_names_no_code(copy, file, change):
    path = copy / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CodeInModel) as refused:
        load_base(copy)
    assert refused.value.path == str(path)


@pytest.mark.parametrize(
    "piece", ["../elsewhere.safetensors", "/dev/zero", "inner/a.safetensors", "a.bin", 7]
)
def test_pieces_of_weights_lie_beside_their_list(copy, piece):
    path = copy / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": {"conv_in.weight": piece}}))
    with pytest.raises(CodeInModel, match="weight_map"):
        load_base(copy)


@pytest.mark.parametrize("name", ["tokenizer/tokenizer.json", "unet/config.json", "model_index.json"])
def test_no_setting_is_called_what_a_terminal_obeys(copy, name, capfd):
    "Libraries print the names that they don't know, and not through Python."
    path = copy / name
    table = json.loads(path.read_text())
    inside = table["added_tokens"][0] if "added_tokens" in table else table
    inside["\x1b[2J"] = 1
    path.write_text(json.dumps(table))
    with pytest.raises(NoSuchBase, match=r"setting called '\\x1b\[2J'"):
        load_base(copy)
    out, err = capfd.readouterr()
    assert "\x1b" not in out + err


def test_tokens_of_a_vocabulary_may_be_any_letters(copy, base):
    path = copy / "tokenizer" / "tokenizer.json"
    table = json.loads(path.read_text())
    table["model"]["vocab"]["\n\t\x1b"] = len(table["model"]["vocab"])
    path.write_text(json.dumps(table))
    assert load_base(copy).digest != base.digest


def changed(path: Path, change: dict) -> None:
    "Change a JSON file."
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


MISFITS = {
    "a text for a number": ("unet/config.json", {"sample_size": "x", "layers_per_block": "y"}),
    "a list for a text": ("text_encoder/config.json", {"transformers_version": 128}),
    "a table for a token": ("tokenizer/tokenizer_config.json", {"eos_token": {"x": 1}}),
    "nothing for a table": ("tokenizer/tokenizer.json", {"pre_tokenizer": "/"}),
    "an unknown schedule": ("scheduler/scheduler_config.json", {"beta_schedule": ["linear"]}),
    "no groups": ("unet/config.json", {"norm_num_groups": 0}),
    "heads that don't divide": ("text_encoder/config.json", {"num_attention_heads": 3}),
    "more than its weights": ("text_encoder/config.json", {"num_hidden_layers": 9}),
    "a million layers": ("text_encoder/config.json", {"num_hidden_layers": 1_000_000}),
    "a million layers in a block": ("unet/config.json", {"layers_per_block": [1_000_000, 1, 1, 1]}),
    "ten thousand blocks": ("unet/config.json", {"block_out_channels": [64] * 10_000}),
    "10^16 steps": ("scheduler/scheduler_config.json", {"num_train_timesteps": 10**16}),
    "10^9 channels": ("vae/config.json", {"decoder_block_out_channels": [64, 64, 10**9]}),
    "prompts of 10^9 tokens": ("tokenizer/tokenizer_config.json", {"model_max_length": 10**9}),
    "prompts of a list": ("tokenizer/tokenizer_config.json", {"model_max_length": [32, 32]}),
    "prompts of one token": ("tokenizer/tokenizer_config.json", {"model_max_length": 1}),
}


@pytest.mark.many(8)
@pytest.mark.parametrize("what", MISFITS)
def test_configurations_that_no_library_takes_are_refused_in_words_and_at_once(copy, what):
    "Whatever a library raises, and before it makes or fills what no model has."
    name, change = MISFITS[what]
    changed(copy / name, change)
    with pytest.raises(NoSuchBase) as refused:
        _ = load_base(copy).digest
    assert len(str(refused.value)) < 700
    assert "NoneType" not in str(refused.value)


@pytest.mark.parametrize("library", ["my_unet", "antigravity", "os", 7, ""])
def test_no_module_is_imported_because_a_base_names_it(copy, library):
    index = copy / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"unet": [library, "My"]}))
    (copy / "unet" / "my_unet.py").write_text("raise SystemExit('code ran')")
    with pytest.raises(NoSuchBase, match="class of its own"):
        load_base(copy)
    assert library not in sys.modules or library == "os"


@pytest.mark.parametrize(
    "text", ["[]", '"x"', "{", '{"_class_name": ["mine", "My"]}', "[" * 100_000, '{"unet": []}']
)
def test_a_broken_index_is_refused_in_words(copy, text):
    (copy / "model_index.json").write_text(text)
    with pytest.raises(NoSuchBase):
        load_base(copy)


def test_weights_that_are_no_numbers_are_refused_by_name(copy):
    path = copy / "vae" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    name = sorted(weights)[0]
    weights[name].view(-1)[0] = float("nan")
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(NotFinite, match=f"vae.{name}"):
        _ = load_base(copy).digest


@pytest.mark.parametrize(
    "source, name, program",
    [
        ("hill (ComfyUI 0.3.75)", "hill", "ComfyUI 0.3.75"),
        ("fox (stable-diffusion.cpp)", "fox", "stable-diffusion.cpp"),
        ("hill (ComfyUI 0.3.75 and ComfyUI 0.4)", "hill", "ComfyUI 0.3.75 and ComfyUI 0.4"),
        ("riso (v2).safetensors", "riso (v2)", ""),
        ("bundled", "artmint bundled", ""),
        ("our/base@" + "4" * 40, "base", ""),
    ],
)
def test_a_bases_source_says_which_program_painted_with_it(source, name, program):
    assert base_name(source) == name
    assert program_of(source)[1] == program


@pytest.mark.parametrize("name", ["a" * 300, "../vae", "", "unet/..", "unet\n", "a b"])
def test_a_part_that_no_folder_is_called_is_refused_by_name(copy, name):
    index = copy / "model_index.json"
    index.write_text(
        json.dumps(json.loads(index.read_text()) | {name: ["diffusers", "UNet2DConditionModel"]})
    )
    with pytest.raises(NoSuchBase, match="which no folder is called"):
        load_base(copy)


def test_an_empty_key_of_a_configuration_is_a_setting_like_others(copy):
    settings = copy / "text_encoder" / "config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"": 1}))
    assert len(load_base(copy).digest) == 64


@pytest.mark.parametrize("number", [10**30, -(10**30), 1e30, 2**60])
def test_a_number_beyond_all_models_is_refused_before_a_library_builds_it(copy, number):
    "A library reads a whole number of any size as it stands, and builds as many blocks until memory is out."
    settings = copy / "vae" / "config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"num_decoder_blocks": [1, number]}))
    with pytest.raises(NoSuchBase, match="more than any model has"):
        load_base(copy)


# ------------------------------------------------------------------ what lies in the place of weights


def weights() -> bytes:
    "A safetensors file of four tensors."
    return pack_tensors({f"layer.{number}": torch.ones(3, number + 1) for number in range(4)}, {"by": "hand"})


def pickled() -> bytes:
    "What torch.save writes, and many rename."
    file = io.BytesIO()
    torch.save({"a": torch.ones(3)}, file)
    return file.getvalue()


INSTEAD = {
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
    "a login": (b"\n<!DOCTYPE html><html>Log in to download</html>", "a web page"),
    "an answer": (b'{"error": "Unauthorized"}', "it is JSON"),
    "an archive of torch": (pickled(), "a pickle, whatever it is called"),
    "a bare pickle": (pickle.dumps({"weights": list(range(99))}), "a pickle, whatever it is called"),
    "another format": (b"GGUF\x03\0\0\0\x24\1\0\0\0\0\0\0", "a GGUF file"),
    "nothing": (b"", "it is empty"),
    "a part": (
        weights()[:-5],
        f"it ends after {len(weights()) - 5} of {len(weights())} bytes: fetch it again",
    ),
    "a page with a mark before it": (b"\xef\xbb\xbf<html>Log in</html>", "a web page"),
    "the beginning of an archive": (b"PK\x03\x04", "a pickle, whatever it is called"),
    "a part of its header": (weights()[:40], "fetch it again"),
    "noise": (b"\xfe" * 5000, "it has 5,000 bytes, and the first of them are those of something else"),
}
READERS = {
    "base": lambda path: load_base(path),
    "adapter": lambda path: unpack_tensors(read_adapter(path)),
    "its header": lambda path: header_of(path.read_bytes()),
    "embedding": lambda path: read_embedding(path, "word"),
    "upscaler": lambda path: load_upscaler(read_upscaler(path)),
    "image prompt": lambda path: read_ip_adapter(path, load_base().pipeline),
}


@pytest.mark.parametrize("name", INSTEAD)
def test_what_lies_in_the_place_of_weights_is_called_by_its_name(tmp_path, name):
    "Whoever reads it: a Git LFS pointer isn't 'header too large', and a download that broke off says how far it came."
    data, words = INSTEAD[name]
    path = tmp_path / "weights.safetensors"
    path.write_bytes(data)
    assert words in why_no_tensors(path)
    assert why_no_tensors(path) == why_no_tensors(data)
    for reader, read in READERS.items():
        with pytest.raises(Refusal, match=re.escape(words)) as refusal:
            read(path)
        assert refusal.value.exit_code == 2, reader


@pytest.mark.parametrize("name", some(INSTEAD, {"a pointer", "a part"}))
def test_a_folder_says_which_of_its_files_isnt_there(copy, tmp_path, name):
    "Of a base, of a VAE that replaces the base's, of a judge; and no place of ours is named."
    data, words = INSTEAD[name]
    vae, judge = tmp_path / "another", tmp_path / "judge"
    shutil.copytree(copy / "vae", vae)
    shutil.copytree(DATA_FOLDER / "judge", judge)
    (copy / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(data)
    (vae / "diffusion_pytorch_model.safetensors").write_bytes(data)
    (judge / "open_clip_model.safetensors").write_bytes(data)
    own = {copy: "unet/diffusion_pytorch_model", vae: "diffusion_pytorch_model", judge: "open_clip_model"}
    loads = {
        copy: lambda: load_base(copy),
        vae: lambda: load_base(files=BaseFiles(vae=str(vae))),
        judge: lambda: load_judge(judge),
    }
    for folder, load in loads.items():
        with pytest.raises(Refusal) as refusal:
            load()
        assert f"from '{folder}': {own[folder]}.safetensors is no safetensors file: " in str(refusal.value)
        assert words in str(refusal.value)


def test_a_file_that_is_not_read_is_no_reason(base, copy):
    "Who fetched one variant of the weights has pointers in the place of the others; another fault is told as what it is."
    pointer, _ = INSTEAD["a pointer"]
    (copy / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(pointer)
    assert load_base(copy).digest == base.digest
    path = copy / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"norm_num_groups": 7}))
    with pytest.raises(NoSuchBase) as refusal:
        load_base(copy)
    assert "pointer" not in str(refusal.value)


def test_a_link_into_nowhere_is_told_in_words(copy):
    "A cache that was cleared leaves such links."
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    path.unlink()
    path.symlink_to(copy / "gone")
    with pytest.raises(NoSuchBase, match="can't be read"):
        load_base(copy)


@given(st.integers(0, len(weights())))
def test_every_part_of_a_file_is_known_for_a_part(size):
    assert bool(why_no_tensors(weights()[:size])) == (size < len(weights()))


@given(st.binary(max_size=200), st.integers(0, 2**64 - 1))
def test_whatever_the_bytes_say_they_are_looked_at_in_words(body, length):
    assert isinstance(why_no_tensors(length.to_bytes(8, "little") + body), str)


def test_weights_of_another_variant_dont_stand_for_those_that_are_missing(copy):
    "transformers fills in by chance what a file lacks; the files that aren't read make up for nothing."
    path = copy / "text_encoder" / "model.safetensors"
    tensors = load_file(path)
    save_file(tensors, path.with_name("model.fp16.safetensors"), {"format": "pt"})
    del tensors[max(tensors, key=lambda name: tensors[name].numel())]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(NoSuchBase, match="its text_encoder should have"):
        load_base(copy)

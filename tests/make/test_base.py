"A base is named by what determines pixels; a pickle is never loaded."

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from artmint.make.base import (
    DATA_FOLDER,
    NoSuchBase,
    PickledWeights,
    fingerprint,
    load_base,
    load_judge,
    weights_files,
)
from artmint.train.drawings import draw, subjects


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


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "model.ckpt", "deep/er/weights.pt", "x.pkl"])
def test_pickles_are_refused_before_they_run(copy, tmp_path, name):
    target = copy / "unet" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    with pytest.raises(PickledWeights, match=target.name):
        load_base(copy)
    assert not (tmp_path / "canary").exists()
    shutil.copytree(DATA_FOLDER / "judge", tmp_path / "judge")
    (tmp_path / "judge" / "open_clip_pytorch_model.bin").write_bytes(target.read_bytes())
    with pytest.raises(PickledWeights):
        load_judge(tmp_path / "judge")
    assert not (tmp_path / "canary").exists()


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(NoSuchBase, match=tmp_path.name):
        load_base(tmp_path)
    with pytest.raises(NoSuchBase, match="open_clip_config"):
        load_judge(tmp_path)


def test_embeddings_depend_on_nothing_beside_the_picture():
    judge = load_judge()
    images = [draw(s, i) for i, s in enumerate(np.random.default_rng(3).choice(subjects(), 23))]
    together = judge.encode_images(images)
    for size in (1, 7):
        apart = np.concatenate([judge.encode_images(images[i : i + size]) for i in range(0, 23, size)])
        assert np.array_equal(apart, together)
    assert np.array_equal(judge.encode_images(images[::-1])[::-1], together)
    assert np.allclose(np.linalg.norm(together, axis=1), 1)

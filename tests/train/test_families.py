"Families of bases as trainings know them: what a network is asked is what its own pipeline asks it."

import json
import signal
import subprocess
import sys
from copy import copy
from dataclasses import replace

import diffusers
import numpy as np
import pytest
import torch

from artmint.lora_train import refuse_unknown_targets, train
from artmint.make.adapters import NotAnAdapter, header_of, pack_tensors, unpack_tensors
from artmint.make.base import load_base
from artmint.make.layouts import family_of, to_kohya
from artmint.train.examples import TRANSFORMER_TARGETS, NoOwnSize, own_side, planned, prepare, sample_facts
from artmint.train.families import (
    FAMILIES,
    UnknownFamily,
    UntrainableNoise,
    refuse_noise,
    trained_family,
)
from artmint.train.settings import BadTraining, TrainConfig
from tests.styles import PROGRAM, SMALL, painted, sha
from tests.suites import some

FLOWS = ("sd3", "flux")
FLOWING = SMALL | {"targets": TRANSFORMER_TARGETS, "far_resolution": True, "prior_batch": 0}


@pytest.fixture(scope="module")
def flowed(bases, style, tmp_path_factory):
    "A transformer's adapter, trained for seven steps."
    known = {}

    def adapter(name):
        if name not in known:
            folder = tmp_path_factory.mktemp(name)
            known[name] = train(style, bases(name), TrainConfig(**FLOWING), folder).read_bytes()
        return known[name]

    return adapter


@pytest.mark.parametrize("name", some(FLOWS, ["flux"]))
def test_the_guess_walks_the_pipelines_own_way_from_noise_to_picture(bases, name):
    pipe = bases(name).pipeline
    family = trained_family(bases(name))
    channels = pipe.vae.config.latent_channels
    side = 32 // pipe.vae_scale_factor
    x = torch.randn((1, channels, side, side), generator=torch.Generator().manual_seed(4))
    given = x if name == "sd3" else pipe._pack_latents(x, 1, channels, side, side)
    size = {"width": 32, "height": 32, "num_inference_steps": 3, "output_type": "latent"}
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(prompt=["waves"], guidance_scale=1.0, latents=given.clone(), **size).images
    if name == "flux":
        theirs = pipe._unpack_latents(theirs, 32, 32, pipe.vae_scale_factor)
    sigmas = [*pipe.scheduler.sigmas.tolist()]
    with torch.no_grad():
        conditions = family.conditions(pipe, ["waves"], (32, 32))
        for sigma, after in zip(sigmas, sigmas[1:]):
            x = x + (after - sigma) * family.guess(pipe, x, torch.tensor([sigma * 1000]), conditions)
    assert torch.allclose(x, theirs, atol=1e-4)


@pytest.mark.parametrize("name", FLOWS)
def test_a_picture_is_encoded_as_the_pipeline_decodes_it(bases, style, name):
    "The shift of these VAEs is taken off before the scale, as the pipeline puts it back after it."
    base = bases(name)
    config = TrainConfig(resolution=32)
    latent = prepare(base, style.images()[:1], [""], config).latents[0]
    vae = base.pipeline.vae
    image = style.images()[0].resize((32, 32), 1)
    values = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        code = vae.encode(values).latent_dist.mode()[0]
    back = latent / vae.config.scaling_factor + vae.config.shift_factor
    assert vae.config.shift_factor and torch.allclose(back, code, atol=0.05)


def test_a_flow_mixes_noise_along_a_straight_line():
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    plain = diffusers.FlowMatchEulerDiscreteScheduler()
    x, noise = torch.zeros(400, 1, 2, 2), torch.ones(400, 1, 2, 2)
    mix = FAMILIES["FluxPipeline"].mixed
    noisy, times, target = mix(scheduler, x, noise, np.random.default_rng(1))
    assert torch.allclose(noisy[:, 0, 0, 0] * 1000, times) and (target == 1).all()
    _, before, _ = mix(plain, x, noise, np.random.default_rng(1))
    assert torch.allclose(times / 1000, 3 * before / 1000 / (1 + 2 * before / 1000), atol=1e-5)
    assert 450 < float(before.median()) < 550 < float(times.median())
    again = mix(scheduler, x, noise, np.random.default_rng(1))
    assert torch.equal(noisy, again[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_a_transformers_adapter_is_the_same_file_however_it_is_broken_off(
    bases, style, flowed, tmp_path, name
):
    def stop(step, loss):
        if step == 5:
            raise KeyboardInterrupt

    config = TrainConfig(**FLOWING)
    with pytest.raises(KeyboardInterrupt):
        train(style, bases(name), config, tmp_path, progress=stop)
    (tmp_path / "adapter-000005.safetensors").unlink()
    (tmp_path / "adapter-000003.safetensors").unlink()
    assert sha(train(style, bases(name), config, tmp_path).read_bytes()) == sha(flowed(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_killed_in_another_program_it_ends_in_the_same_bytes(bases, style, flowed, tmp_path, name):
    base = bases(name)
    settings = json.dumps(FLOWING | {"targets": list(TRANSFORMER_TARGETS)})
    asked = [sys.executable, "-c", PROGRAM, str(base.folder), str(style.folder), str(tmp_path), settings]
    running = subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in running.stdout:
        if int(line) == 4:
            break
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "adapter-000007.safetensors").exists()
    assert sha(train(style, base, TrainConfig(**FLOWING), tmp_path).read_bytes()) == sha(flowed(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", some(FLOWS, ["sd3"]))
def test_diffusers_own_loader_takes_it_and_paints_what_artmint_paints(bases, flowed, tmp_path, name):
    data = flowed(name)
    (tmp_path / "pytorch_lora_weights.safetensors").write_bytes(data)
    tensors, facts = unpack_tensors(data)
    assert tensors and all(key.startswith("transformer.") for key in tensors)
    louder = {key: tensor * 30 if "lora_B" in key else tensor for key, tensor in tensors.items()}
    loud = pack_tensors(louder, facts)
    (tmp_path / "pytorch_lora_weights.safetensors").write_bytes(loud)
    base = bases(name)
    own = {"scheduler": "own", "guidance": 1.0}
    plain, ours = painted(base, [], **own), painted(base, [(loud, 1.0)], **own)
    assert np.abs(ours - plain).max() > 20
    theirs = load_base(base.folder)
    theirs.pipeline.load_lora_weights(tmp_path, adapter_name="style")
    assert theirs.pipeline.get_active_adapters() == ["style"]
    theirs.pipeline.fuse_lora()
    theirs.pipeline.unload_lora_weights()
    changed = painted(replace(theirs), [], **own)
    assert np.abs(changed - ours).max() <= 1


@pytest.mark.slow
def test_a_transformers_file_says_its_family_and_has_no_kohya_layout(flowed):
    for name, family, version in (("sd3", "Stable Diffusion 3", "sd3"), ("flux", "FLUX", "flux1")):
        header = header_of(flowed(name))
        assert header["ss_base_model_version"] == version
        assert family_of({}, header) == family == family_of(unpack_tensors(flowed(name))[0], header)
        with pytest.raises(NotAnAdapter, match="diffusers and ComfyUI read it as it is"):
            to_kohya(flowed(name))


@pytest.mark.parametrize("setting", [{"min_snr": 5.0}, {"clip_skip": 2}, {"text_encoder": True}])
def test_settings_that_a_flow_does_not_know_are_refused(bases, style, tmp_path, setting):
    with pytest.raises(BadTraining, match=next(iter(setting))):
        train(style, bases("sd3"), TrainConfig(**FLOWING | setting), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_is_planned_for_a_transformer_reaches_its_layers(bases, style):
    for name in FLOWS:
        config = planned(
            {"steps": 4, "far_resolution": True, "resolution": 32}, bases(name), style, prior=False
        )
        refuse_unknown_targets(bases(name), config)
        assert config.targets == TRANSFORMER_TARGETS
        facts = sample_facts(bases(name), 32)
        assert facts["scheduler"] == "own" and facts["width"] == 32
        assert own_side(bases(name)) > 0


def test_a_flows_scheduler_and_an_unknown_family_are_refused(bases):
    pipe = copy(bases("sd3").pipeline)
    pipe.scheduler = diffusers.DDIMScheduler()
    with pytest.raises(UntrainableNoise, match="no flow"):
        refuse_noise(replace(bases("sd3"), pipeline=pipe))

    class SanaPipeline:
        pass

    with pytest.raises(UnknownFamily, match="SanaPipeline.*FAMILIES"):
        trained_family(replace(bases("sd3"), pipeline=SanaPipeline()))
    with pytest.raises(NoOwnSize):
        own_side(replace(bases("sd3"), pipeline=SanaPipeline()))

"Settings by name, refused before anything runs; and other trainers' files, of which nothing is lost in silence."

import itertools
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from artmint.train.settings import (
    BadTraining,
    TrainConfig,
    UnknownOptimiser,
    joined_table,
    load_training,
    optimiser_options,
    read_foreign,
    settings_facts,
    training_settings,
    training_toml,
)

# ---------------------------------------------------------------- a table


@pytest.mark.parametrize(
    "table, words",
    [
        ({"resolutoin": 512}, "is it resolution?"),
        ({"optimizer": "AdamW"}, "is it optimiser?"),
        ({"rank": "16"}, "rank"),
        ({"rank": 16.5}, "rank"),
        ({"schedule": "cosin"}, "schedule"),
        ({"optimiser": "AdmaW"}, "is it AdamW?"),
        ({"optimiser_args": {"beta": [0.9, 0.99]}}, "is it betas?"),
        ({"optimiser_args": {"weight_decay": 0.1}}, "weight_decay"),
        ({"optimiser": "Rprop", "weight_decay": 0.1}, "Rprop takes none"),
        ({"steps": 10, "epochs": 2}, "one of them"),
        ({"conv_rank": 4}, "conv_alpha"),
        ({"keep_tokens": 1}, "without effect"),
        ({"cycles": 3}, "without effect"),
        ({"power": 2.0, "schedule": "linear"}, "without effect"),
        ({"text_rate": 1e-5}, "without effect"),
        ({"targets": []}, "targets"),
        ({"caption_dropout": 1.0}, "caption_dropout"),
        ({"resolution": 500}, "multiple of 8"),
    ],
)
def test_a_table_that_cannot_be_trained_with_is_refused(table, words):
    with pytest.raises(BadTraining, match=words) as refusal:
        training_settings(table)
    assert refusal.value.exit_code == 2


def test_what_is_set_goes_before_the_defaults():
    config = training_settings({"epochs": 3, "rank": 4}, {"steps": 12, "rank": 8, "rate": 0.5})
    assert (config.epochs, config.rank, config.rate) == (3, 4, 0.5)


def test_facts_of_a_training_as_it_was_before_are_the_same():
    "So that a training that an earlier version began goes on."
    facts = settings_facts(TrainConfig(resolution=128))
    assert (
        list(facts)
        == (
            "steps batch accumulate rate warmup schedule optimiser weight_decay rank alpha targets text_encoder"
            " noise_offset min_snr prior_batch prior_weight resolution buckets precision gradient_checkpointing seed every"
        ).split()
    )
    assert settings_facts(TrainConfig(shuffle=True))["shuffle"] is True


def test_options_of_an_optimiser():
    assert "betas" in optimiser_options("AdamW")
    with pytest.raises(UnknownOptimiser, match="AdamW"):
        optimiser_options("Lion")


OPTIONAL = {
    "steps": st.integers(1, 10**6),
    "rate": st.floats(1e-9, 1, allow_subnormal=False),
    "targets": st.lists(st.sampled_from(["to_q", "conv1"]), min_size=1),
    "shuffle": st.booleans(),
    "optimiser_args": st.just({"betas": [0.9, 0.95], "eps": 1e-7, "amsgrad": True}),
    "min_snr": st.floats(0.1, 20),
}


@given(st.fixed_dictionaries({}, optional=OPTIONAL))
def test_a_written_file_reads_as_the_same_table(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("written") / "settings.toml"
    path.write_text(training_toml(table), encoding="utf-8")
    assert load_training(path) == table


@pytest.mark.parametrize(
    "text, words",
    [
        ("rank = 4\n", "outside of the"),
        ("name = 'x'\nstages = ['10_lora_train']\n[training]\n", "artmint run"),
        ("[trainig]\nrank = 4\n", "nothing else"),
        ("training = 'x.toml'\n", "table"),
        ("[training\n", "toml"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, text, words):
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(BadTraining, match=words):
        load_training(tmp_path / "settings.toml")


def test_parameters_and_settings_are_not_both_obeyed():
    assert joined_table('{"rank": 4}', 12, 0.1) == {"rank": 4, "steps": 12, "rate": 0.1}
    with pytest.raises(BadTraining, match="steps"):
        joined_table('{"steps": 4}', 12)
    for text in ("{", "[]"):
        with pytest.raises(BadTraining):
            joined_table(text)


# ---------------------------------------------------------------- other trainers' files

GUI = {
    "LoRA_type": "Standard",
    "bucket_no_upscale": False,
    "cache_latents": True,
    "caption_dropout_rate": 0.05,
    "caption_extension": ".txt",
    "clip_skip": "2",
    "conv_alpha": 1,
    "conv_dim": 1,
    "enable_bucket": True,
    "epoch": 50,
    "flip_aug": False,
    "gradient_accumulation_steps": "2",
    "gradient_checkpointing": True,
    "keep_tokens": "0",
    "learning_rate": 3e-05,
    "lr_scheduler": "constant",
    "lr_scheduler_num_cycles": "",
    "lr_warmup": 0,
    "max_resolution": "1024,1024",
    "max_token_length": "75",
    "max_train_epochs": "",
    "max_train_steps": "",
    "min_snr_gamma": 5,
    "mixed_precision": "fp16",
    "network_alpha": 32,
    "network_dim": 32,
    "noise_offset": 0,
    "optimizer": "AdamW8bit",
    "optimizer_args": "weight_decay=0.1 betas=0.9,0.99",
    "sdxl": True,
    "seed": "1234",
    "shuffle_caption": False,
    "text_encoder_lr": "5e-05",
    "train_batch_size": 3,
    "unet_lr": 3e-05,
    "xformers": "xformers",
}
SCRIPTS = """
pretrained_model_name_or_path = "v1-5-pruned.safetensors"
[network_arguments]
network_module = "networks.lora"
network_dim = 16
network_alpha = 8
network_args = ["conv_dim=8", "conv_alpha=4"]
network_train_unet_only = true
[optimizer_arguments]
learning_rate = 1e-4
optimizer_type = "AdamW"
lr_scheduler = "cosine_with_restarts"
lr_scheduler_num_cycles = 3
lr_warmup_steps = 0.05
[training_arguments]
max_train_steps = 2000
save_every_n_steps = 500
train_batch_size = 2
noise_offset = 0.0357
clip_skip = 2
max_token_length = 225
"""
DATASET = """
[general]
shuffle_caption = true
keep_tokens = 1
caption_extension = ".txt"
[[datasets]]
resolution = [512, 768]
batch_size = 4
[[datasets.subsets]]
image_dir = "hoge"
num_repeats = 10
"""
TOOLKIT = """
job: extension
config:
  name: my_lora
  process:
    - type: sd_trainer
      device: cuda:0
      trigger_word: p3r5on
      network: {type: lora, linear: 16, linear_alpha: 8, conv: 4, conv_alpha: 2}
      save: {dtype: float16, save_every: 250}
      datasets:
        - folder_path: /images
          caption_ext: txt
          caption_dropout_rate: 0.05
          shuffle_tokens: true
          resolution: [512, 768, 1024]
      train:
        batch_size: 2
        steps: 2000
        gradient_accumulation_steps: 4
        train_text_encoder: false
        gradient_checkpointing: true
        noise_scheduler: ddpm
        optimizer: adamw8bit
        optimizer_params: {weight_decay: 1e-2}
        lr: 1e-4
        ema_config: {use_ema: true, ema_decay: 0.99}
        dtype: bf16
      model: {name_or_path: some/sdxl, is_xl: true}
meta: {name: x}
"""
PRESET = {
    "base_model_name": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "batch_size": 4,
    "epochs": 20,
    "learning_rate": 0.0003,
    "model_type": "STABLE_DIFFUSION_15",
    "resolution": "512",
    "training_method": "LORA",
    "optimizer": {"optimizer": "ADAFACTOR", "weight_decay": 0.0, "relative_step": False},
    "learning_rate_scheduler": "COSINE",
    "train_dtype": "BFLOAT_16",
    "unet": {"weight_dtype": "FLOAT_16"},
    "text_encoder": {"weight_dtype": "FLOAT_16", "train": True, "learning_rate": 5e-5},
}


def foreign(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text)
    read = read_foreign(tmp_path / name)
    return read, training_settings(read.table)


def test_settings_of_kohyas_gui(tmp_path):
    read, config = foreign(tmp_path, "gui.json", json.dumps(GUI))
    assert (config.rank, config.alpha, config.epochs, config.batch, config.accumulate) == (32, 32.0, 50, 3, 2)
    assert (config.rate, config.text_rate, config.text_encoder) == (3e-5, 5e-5, True)
    assert (config.optimiser, config.weight_decay, config.optimiser_args) == (
        "AdamW",
        0.1,
        {"betas": [0.9, 0.99]},
    )
    assert (config.schedule, config.warmup, config.precision, config.seed) == ("constant", 0, "float16", 1234)
    assert (config.resolution, config.clip_skip, config.min_snr, config.caption_dropout) == (
        1024,
        2,
        5.0,
        0.05,
    )
    assert "conv1" not in config.targets and config.conv_rank is None
    assert "ff.net.0.proj" in config.targets


def test_settings_of_sd_scripts(tmp_path):
    _, config = foreign(tmp_path, "kohya.toml", SCRIPTS)
    assert (config.rank, config.conv_rank, config.conv_alpha) == (16, 8, 4.0)
    assert {"conv1", "downsamplers.0.conv"} <= set(config.targets)
    assert (config.text_encoder, config.text_rate) == (False, None)
    assert (config.steps, config.warmup, config.every, config.cycles) == (2000, 100, 500, 3)


def test_a_dataset_configuration(tmp_path):
    read, config = foreign(tmp_path, "data.toml", DATASET + "[more]\nmax_train_epochs = 3\n")
    assert (config.shuffle, config.keep_tokens, config.batch) == (True, 1, 4)
    assert config.resolution == 624  # a multiple of 8 with the area of 512 x 768
    assert config.epochs == 30  # of 10 repeats
    assert ("image_dir", "give the pictures as a style set: --style") in read.left_out


def test_settings_of_ai_toolkit(tmp_path):
    read, config = foreign(tmp_path, "toolkit.yaml", TOOLKIT)
    assert (config.rank, config.alpha, config.conv_rank, config.conv_alpha) == (16, 8.0, 4, 2.0)
    assert (config.steps, config.batch, config.accumulate, config.rate) == (2000, 2, 4, 1e-4)
    assert (config.resolution, config.precision, config.shuffle) == (1024, "bfloat16", True)
    assert "train.ema_config.ema_decay" in dict(read.left_out)


def test_settings_of_onetrainer(tmp_path):
    read, config = foreign(tmp_path, "preset.json", json.dumps(PRESET))
    assert (config.optimiser, config.weight_decay, config.text_rate) == ("Adafactor", 0.0, 5e-5)
    assert (config.rank, config.alpha, config.resolution, config.epochs) == (16, 1.0, 512, 20)
    assert "optimizer.relative_step" in dict(read.left_out)


RATES = ("unet_lr = 1e-4", "learning_rate = 5e-5", "network_train_unet_only = true")


@pytest.mark.parametrize("lines", itertools.permutations(RATES))
def test_the_unets_rate_wins_over_the_general_one_in_any_order(tmp_path, lines):
    read, config = foreign(tmp_path, "kohya.toml", "\n".join(lines))
    assert config.rate == 1e-4
    assert ("learning_rate", "unet_lr is given, and wins over 5e-05") in read.left_out
    assert [key for key, became in read.taken if became.startswith("rate = ")] == ["unet_lr"]


@pytest.mark.parametrize("lines", itertools.permutations(RATES[:2]))
def test_the_general_rate_is_the_text_encoders_where_they_have_none(tmp_path, lines):
    read, config = foreign(tmp_path, "kohya.toml", "\n".join(lines))
    assert (config.rate, config.text_rate, config.text_encoder) == (1e-4, 5e-5, True)
    assert ("learning_rate", "text_rate = 5e-05") in read.taken


@pytest.mark.parametrize("value", [0.0, None])
def test_a_key_that_is_off_wins_over_none(tmp_path, value):
    table = {"learning_rate": 5e-5, "unet": {"learning_rate": value}}
    _, config = foreign(tmp_path, "preset.json", json.dumps(PRESET | table))
    assert config.rate == 5e-5


def test_a_networks_own_rate_wins_in_onetrainer(tmp_path):
    table = {"unet": {"learning_rate": 2e-5}, "learning_rate": 5e-5}
    read, config = foreign(tmp_path, "preset.json", json.dumps(table | PRESET | table))
    assert config.rate == 2e-5
    assert "learning_rate" in dict(read.left_out)


def test_rates_of_an_optimiser_that_finds_its_own_are_not_taken(tmp_path):
    read, config = foreign(
        tmp_path, "prodigy.toml", 'optimizer_type = "Prodigy"\nunet_lr = 1.0\noptimizer_args = ["d_coef=2"]'
    )
    assert "rate" not in read.table and "optimiser" not in read.table
    assert {"optimizer_type", "rate", "optimizer_type.d_coef"} <= dict(read.left_out).keys()
    assert config.rate < 0.1


@pytest.mark.parametrize("text", [SCRIPTS, DATASET, json.dumps(GUI), json.dumps(PRESET), TOOLKIT])
def test_every_key_of_a_file_is_accounted_for(tmp_path, text):
    suffix = "toml" if text in (SCRIPTS, DATASET) else "yaml"
    read, _ = foreign(tmp_path, f"file.{suffix}", text)
    lines = "\n".join(read.lines())
    if suffix == "toml":
        keys = [line.split(" = ")[0] for line in text.splitlines() if " = " in line]
    else:
        entries = yaml.safe_load(text)
        keys = entries["config"]["process"][0] if "config" in entries else entries
    assert [key for key in keys if key not in lines and key not in ("optimizer_args", "network_args")] == []


@pytest.mark.parametrize(
    "name, text", [("a.toml", "x = "), ("a.json", "[1]"), ("a.yaml", ""), ("none.toml", None)]
)
def test_what_is_no_trainers_file_is_refused(tmp_path, name, text):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadTraining):
        read_foreign(tmp_path / name)

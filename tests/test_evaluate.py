"What an adapter learnt is measured the same way every time, chosen with reasons, and shown with its whole line."

import hashlib

import numpy as np
import pytest
from tests.families import saved

from artmint.make.adapters import lineage_of
from artmint.make.base import load_base, load_judge
from artmint.train.settings import TrainConfig
from artmint.evaluate import (
    Asked,
    Bounds,
    Figures,
    NoGoodCheckpoint,
    best,
    drifts,
    evaluate,
    figures,
    generations,
    lineage_sheet,
    painted,
    yardstick,
)
from artmint.make.layouts import to_kohya
from artmint.lora_train import train
from artmint.train.style import practice_style, split_style

SMALL = TrainConfig(
    steps=4,
    batch=2,
    rank=4,
    alpha=4.0,
    resolution=32,
    far_resolution=True,
    every=2,
    warmup=1,
    prior_batch=0,
    rate=2e-2,
)
ASKED = Asked(seeds=2, steps=2, width=32, height=32)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return load_base(saved("sd1", tmp_path_factory.mktemp("sd1")))


@pytest.fixture(scope="module")
def judge():
    return load_judge()


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return split_style(practice_style(tmp_path_factory.mktemp("style") / "riso", 6, 64), 3)


@pytest.fixture(scope="module")
def files(base, parts, tmp_path_factory):
    "Two checkpoints of a training."
    folder = tmp_path_factory.mktemp("run")
    train(parts[0], base, SMALL, folder)
    return {step: (folder / f"adapter-{step:06}.safetensors").read_bytes() for step in (2, 4)}


@pytest.fixture(scope="module")
def rule(base, judge, parts):
    return yardstick(base, judge, *parts, ASKED)


@pytest.mark.slow
def test_checkpoints_and_the_base_are_measured_alike_every_time(rule, files):
    seen = []
    every = evaluate(
        rule, files, lambda found, called, plain: seen.append((found.step, len(called), len(plain)))
    )
    assert [found.step for found in every] == [0, 2, 4]
    assert seen == [(0, 4, 4), (2, 4, 4), (4, 4, 4)]
    assert every[0].drift == 0
    assert every[2].drift > 0
    assert every == evaluate(rule, files)
    assert all(0 <= found.style <= 2 and -1 <= found.memorised <= 1 for found in every)


@pytest.mark.slow
def test_any_file_is_measured_whatever_its_layout(rule, files):
    assert figures(rule, files[4], 4)[0] == figures(rule, to_kohya(files[4]), 4)[0]


@pytest.mark.slow
def test_the_style_set_itself_is_near_and_known_by_heart(rule, parts, judge, monkeypatch):
    "Were the adapter to paint the training pictures, style would be near and memorised 1."
    learnt, held = parts
    near = rule.held
    monkeypatch.setattr(
        "artmint.evaluate.painted",
        lambda base, prompts, asked, adapter=None: (learnt.images() * 4)[: len(prompts) * asked.seeds],
    )
    found = figures(rule, b"", 1)[0]
    monkeypatch.undo()
    assert found.memorised > 0.999
    assert found.style < figures(rule, None)[0].style
    assert len(near) == 2


def row(step: int, style: float, **more: float) -> Figures:
    return Figures(
        **{
            "step": step,
            "style": style,
            "fidelity": 0.6,
            "fidelity_without": 0.6,
            "drift": 0.0,
            "diversity": 0.4,
            "memorised": 0.5,
        }
        | more
    )


def test_the_choice_says_what_it_passed_over():
    chosen, why = best(
        [row(0, 0.9), row(10, 0.5), row(20, 0.3), row(30, 0.1, memorised=0.99), row(40, 0.2, drift=0.5)]
    )
    assert chosen.step == 20
    assert "step 30 is nearer (0.100), but its memorised 0.990" in why
    assert "step 40" in why
    assert "drift 0.500" in why
    with pytest.raises(NoGoodCheckpoint, match="lost fidelity 0.500"):
        best([row(0, 0.9), row(10, 0.1, fidelity=0.1)], Bounds())


@pytest.mark.slow
def test_a_line_of_adapters_is_walked_to_its_beginning(base, judge, parts, files, tmp_path):
    first = files[4]
    second = train(parts[0], base, SMALL, tmp_path / "second", predecessor=first).read_bytes()
    third = train(
        parts[0], base, SMALL.model_copy(update={"seed": 5}), tmp_path / "third", predecessor=second
    ).read_bytes()
    store = {hashlib.sha256(each).hexdigest(): each for each in (first, second, third)}
    assert generations(third, store.__getitem__) == [first, second, third]
    assert generations(first, store.__getitem__) == [first]
    assert lineage_of(third).predecessor == hashlib.sha256(second).hexdigest()
    page, moved = lineage_sheet(
        base, judge, [first, second, third], ["rings", "waves"], Asked(seeds=1, steps=2, width=32, height=32)
    )
    assert page.size == (60 + 2 * 36, 4 * 50)
    assert moved.shape == (3, 2)
    assert (moved >= -1e-9).all()
    assert moved.max() > 0
    same = painted(base, ["rings"], ASKED, first)
    assert np.abs(drifts(judge, [same, same])).max() < 1e-12

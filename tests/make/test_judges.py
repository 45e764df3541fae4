"A judge of one's own: real classes of real libraries, tiny random weights, real files."

import json
import pickle
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from artmint.core.canon import Refusal
from artmint.core.collection import JudgeChoice, example
from artmint.make.base import (
    DATA_FOLDER,
    NoSuchDevice,
    NoSuchJudge,
    PickledWeights,
    ReadsNoTexts,
    load_judge,
)
from artmint.make.judges import (
    OWN_BATCH,
    JudgeNotHere,
    PinnedJudge,
    collection_judge,
    judge_of,
    judge_repository,
)
from artmint.seeds import load_collection
from tests.drawn import drawn
from tests.judges import FOLDERS, OPEN_CLIP, judge_folder

IMAGES = [image for _, image in drawn(11, seed=3)]
TEXTS = ["dense rings in ember colours", "waves", "a", "sparse nebula on night, offset"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    "A folder with a judge of every layout."
    place = tmp_path_factory.mktemp("judges")
    return {name: judge_folder(place, name) for name in FOLDERS}


@pytest.fixture(scope="module")
def judges(folders):
    "They, loaded."
    return {name: judge_of(JudgeChoice(model=str(folder))) for name, folder in folders.items()}


def choice_of(folder, **more) -> JudgeChoice:
    "A judge in a folder."
    return JudgeChoice(model=str(folder), **more)


# ---------------------------------------------------------------- what is loaded


def test_the_demos_judge_is_the_bundled_one_as_it_always_was():
    demo = load_collection(example())
    judge, bare = collection_judge(demo), load_judge()
    assert judge.digest == bare.digest == json.loads((DATA_FOLDER / "measured.json").read_text())["judge"]
    assert np.array_equal(judge.encode_images(IMAGES[:3]), bare.encode_images(IMAGES[:3]))
    assert (judge.precision, judge.batch) == ("float64", 16)


def test_a_judge_that_is_not_said_leaves_no_trace_in_the_collections_digest():
    demo = load_collection(example())
    other = demo.model_copy(update={"judge": JudgeChoice(model="./ours")})
    assert "judge" not in demo.model_dump(mode="json", exclude_defaults=True)
    assert demo.digest != other.digest


@pytest.mark.many(1)
@pytest.mark.parametrize("name", FOLDERS)
def test_embeddings_are_unit_vectors_that_depend_on_nothing_beside_them(judges, name):
    judge = judges[name]
    together = judge.encode_images(IMAGES)
    assert together.shape == (len(IMAGES), judge.width) and together.dtype == np.float64
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-12)
    for size in (1, 3, OWN_BATCH):
        parts = [judge.encode_images(IMAGES[i : i + size]) for i in range(0, len(IMAGES), size)]
        assert np.array_equal(np.concatenate(parts), together)
    assert len({row.tobytes() for row in together}) == len(IMAGES)


@pytest.mark.parametrize("name", ["open_clip", "clip", "siglip"])
def test_texts_too(judges, name):
    judge = judges[name]
    together = judge.encode_texts(TEXTS)
    alone = np.concatenate([judge.encode_texts([text]) for text in TEXTS])
    assert np.array_equal(alone, together)
    assert together.shape == (len(TEXTS), judge.width)


@pytest.mark.parametrize("name", ["dinov2", "dinov3"])
def test_a_judge_without_texts_says_so(judges, name):
    with pytest.raises(ReadsNoTexts, match="reads no texts"):
        judges[name].encode_texts(["rings"])


def test_embeddings_are_those_of_the_libraries_themselves(folders, judges):
    "open_clip's and transformers' own calls, without our batches."
    import open_clip
    import torch
    from transformers import AutoImageProcessor, AutoModel

    model, _, look = open_clip.create_model_and_transforms(f"local-dir:{folders['open_clip']}")
    with torch.no_grad():
        theirs = model.eval().encode_image(look(IMAGES[0])[None], normalize=True).numpy()[0]
    assert np.allclose(judges["open_clip"].encode_images(IMAGES[:1])[0], theirs, atol=1e-5)
    dino = AutoModel.from_pretrained(folders["dinov2"])
    pixels = AutoImageProcessor.from_pretrained(folders["dinov2"])(IMAGES[0], return_tensors="pt")
    with torch.no_grad():
        row = dino(**pixels).last_hidden_state[0, 0].numpy()
    assert np.allclose(judges["dinov2"].encode_images(IMAGES[:1])[0], row / np.linalg.norm(row), atol=1e-5)
    siglip = AutoModel.from_pretrained(folders["siglip"])
    pixels = AutoImageProcessor.from_pretrained(folders["siglip"])(IMAGES[0], return_tensors="pt")
    with torch.no_grad():
        row = siglip.get_image_features(**pixels).pooler_output[0].numpy()
    assert np.allclose(judges["siglip"].encode_images(IMAGES[:1])[0], row / np.linalg.norm(row), atol=1e-5)


# ---------------------------------------------------------------- what it is called


@pytest.mark.many(2)
@pytest.mark.parametrize("name", FOLDERS)
def test_a_digest_covers_weights_words_preprocessing_and_precision(folders, judges, tmp_path, name):
    "Each change by itself gives another digest; another place doesn't."
    digests = {judges[name].digest}
    copied = shutil.copytree(folders[name], tmp_path / "elsewhere")
    assert judge_of(choice_of(copied)).digest == judges[name].digest
    for precision in ("float64", "bfloat16"):
        digests.add(judge_of(choice_of(copied, precision=precision)).digest)
    file = next(copied.glob("*.safetensors"))
    tensors = load_file(file)
    first = sorted(key for key, tensor in tensors.items() if tensor.dim() > 1)[0]
    save_file(tensors | {first: tensors[first] * 1.5}, file, metadata={"format": "pt"})
    digests.add(judge_of(choice_of(copied)).digest)
    for changed in sorted(copied.glob("*.json")):
        changed.write_text(changed.read_text() + "\n")
        digests.add(judge_of(choice_of(copied)).digest)
    assert len(digests) == 4 + len(list(copied.glob("*.json")))


def test_files_that_nobody_reads_are_no_part_of_it(folders, judges, tmp_path):
    copied = shutil.copytree(folders["open_clip"], tmp_path / "cloned")
    (copied / "README.md").write_text("# ours")
    (copied / "open_clip_pytorch_model.bin").write_bytes(b"never read")
    (copied / "model.safetensors").write_bytes(b"of another layout")
    assert judge_of(choice_of(copied)).digest == judges["open_clip"].digest


def test_half_the_precision_moves_an_embedding_a_little(folders):
    rows = {}
    for precision in ("float64", "float32", "bfloat16"):
        judge = judge_of(choice_of(folders["open_clip"], precision=precision))
        rows[precision] = judge.encode_images(IMAGES[:4])
    assert 0 < np.abs(rows["float32"] - rows["float64"]).max() < 1e-5
    assert 1e-5 < np.abs(rows["bfloat16"] - rows["float64"]).max() < 0.05


# ---------------------------------------------------------------- tokens


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=400))
@pytest.mark.parametrize("name", ["open_clip", "clip", "siglip"])
def test_uncut_ids_are_the_padded_ones_wherever_nothing_is_cut(judges, name, text):
    texts = judges[name].texts
    ids, padded = texts.uncut([text])[0], texts.padded([text])[0].tolist()
    assert len(padded) == texts.context
    if len(ids) <= texts.context:
        assert padded[: len(ids)] == ids
        assert len(set(padded[len(ids) :])) <= 1  # what comes after are pads
    else:
        assert padded[: texts.context - 1] == ids[: texts.context - 1]


def test_a_longer_text_has_more_tokens_than_are_read(judges):
    for name, context in (("open_clip", 77), ("clip", 20), ("siglip", 20)):
        texts = judges[name].texts
        assert texts.context == context
        assert len(texts.uncut(["waves " * 90])[0]) > context


def test_what_is_cut_changes_nothing_which_is_why_it_is_refused(judges):
    judge = judges["open_clip"]
    one, other = (judge.encode_texts(["waves " * 90 + end])[0] for end in ("ember", "ocean"))
    assert np.array_equal(one, other)


# ---------------------------------------------------------------- refusals


def test_other_files_than_the_pin_says_are_refused(folders, judges, tmp_path):
    pinned = {"digest": judges["clip"].digest}
    assert judge_of(choice_of(folders["clip"], **pinned)).digest == pinned["digest"]
    with pytest.raises(PinnedJudge, match="Nothing was scored"):
        judge_of(choice_of(judge_folder(tmp_path, "clip", seed=1), **pinned))
    with pytest.raises(PinnedJudge):
        judge_of(choice_of(folders["clip"], precision="bfloat16", **pinned))


@pytest.mark.parametrize(
    "device, word", [("cuda", "see"), ("tpu", "knows no"), ("mps", "see"), ("cuda:7", "see")]
)
def test_a_device_that_is_not_there_is_refused_before_anything_is_read(device, word):
    import torch

    if device != "tpu" and getattr(torch, device.split(":")[0]).is_available():
        pytest.skip("it is there")
    with pytest.raises(NoSuchDevice, match=word):
        judge_of(JudgeChoice(model="./there/is/none", device=device))


@pytest.mark.parametrize("name", ["open_clip", "siglip", "dinov2"])
def test_pickled_weights_are_refused_and_not_run(folders, tmp_path, name):
    copied = shutil.copytree(folders[name], tmp_path / "pickled")
    next(copied.glob("*.safetensors")).unlink()

    class Canary:
        def __reduce__(self):
            return (open, (str(tmp_path / "canary"), "w"))

    bad = "open_clip_pytorch_model.bin" if name == "open_clip" else "pytorch_model.bin"
    (copied / bad).write_bytes(pickle.dumps(Canary()))
    with pytest.raises(PickledWeights):
        judge_of(choice_of(copied))
    assert not (tmp_path / "canary").exists()


def test_weights_of_which_a_part_is_missing_are_refused(folders, tmp_path):
    "transformers would fill it with random numbers."
    for name in ("dinov2", "open_clip"):
        copied = shutil.copytree(folders[name], tmp_path / name)
        file = next(copied.glob("*.safetensors"))
        tensors = load_file(file)
        tensors.pop(sorted(key for key, tensor in tensors.items() if tensor.dim() > 1)[-1])
        save_file(tensors, file, metadata={"format": "pt"})
        with pytest.raises(NoSuchJudge):
            judge_of(choice_of(copied))


def test_weights_that_give_no_numbers_are_refused(folders, tmp_path):
    copied = shutil.copytree(folders["dinov2"], tmp_path / "nan")
    file = copied / "model.safetensors"
    save_file(
        {key: tensor * float("nan") for key, tensor in load_file(file).items()},
        file,
        metadata={"format": "pt"},
    )
    with pytest.raises(NoSuchJudge, match="no finite numbers"):
        judge_of(choice_of(copied))


@pytest.mark.parametrize(
    "config, kind, words",
    [
        ({"model_type": "bert"}, None, "bert"),
        ({"model_type": "siglip2"}, None, "siglip2"),
        ({"model_type": "dinov2"}, "siglip", "kind dino"),
        (None, None, "no open_clip_config.json and no config.json"),
    ],
)
def test_other_models_are_refused_by_name(tmp_path, config, kind, words):
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(NoSuchJudge, match=words):
        judge_of(choice_of(tmp_path, kind=kind))


def test_of_two_layouts_in_a_folder_the_collection_chooses(folders, judges, tmp_path):
    both = shutil.copytree(folders["clip"], tmp_path / "both")
    for path in folders["open_clip"].iterdir():
        shutil.copy(path, both / path.name)
    assert judge_of(choice_of(both)).width == judges["open_clip"].width
    assert judge_of(choice_of(both, kind="clip")).width == judges["clip"].width


@pytest.mark.parametrize(
    "source, words",
    [
        ("./not/there", "nothing at this path"),
        ("ViT-B-32", "laion2b_s34b_b79k"),
        ("ViT-B-32/best", "laion2b_s34b_b79k"),
        ("judge", "no folder, no hub id"),
    ],
)
def test_names_without_a_model_are_refused_with_what_there_is(source, words):
    with pytest.raises(NoSuchJudge, match=words):
        judge_of(JudgeChoice(model=source))


def test_a_file_is_no_judge(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"")
    with pytest.raises(NoSuchJudge, match="a judge is a folder"):
        judge_of(choice_of(tmp_path / "a.safetensors"))


def test_a_broken_config_is_refused_in_words(folders, tmp_path):
    copied = shutil.copytree(folders["open_clip"], tmp_path / "broken")
    for text in (
        "{",
        json.dumps({"preprocess_cfg": {}}),
        json.dumps(OPEN_CLIP | {"model_cfg": {"embed_dim": 16}}),
    ):
        (copied / "open_clip_config.json").write_text(text)
        with pytest.raises(Refusal):
            judge_of(choice_of(copied))


# ---------------------------------------------------------------- the hub's cache


@pytest.fixture
def cache(folders, tmp_path, monkeypatch):
    "A cache as huggingface_hub lays it out, with one repository in it, and no way out."
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for commit in ("a" * 40, "b" * 40):
        place = tmp_path / "models--our--judge" / "snapshots" / commit
        source = (
            folders["open_clip"] if commit[0] == "a" else judge_folder(tmp_path / "new", "open_clip", seed=5)
        )
        shutil.copytree(source, place)
    refs = tmp_path / "models--our--judge" / "refs"
    refs.mkdir()
    (refs / "main").write_text("b" * 40)
    return tmp_path


def test_a_hub_id_is_loaded_from_the_cache_at_its_revision(cache, judges):
    for source in ("our/judge", "hf-hub:our/judge"):
        old = judge_of(JudgeChoice(model=source, revision="a" * 40), fetch=False)
        assert old.digest == judges["open_clip"].digest
        assert judge_of(JudgeChoice(model=source)).digest != old.digest


def test_a_repository_that_is_not_in_the_cache_is_named(cache):
    for fetch in (True, False):
        with pytest.raises(JudgeNotHere if not fetch else NoSuchJudge, match="their/judge"):
            judge_of(JudgeChoice(model="their/judge"), fetch=fetch)


def test_a_name_of_open_clips_is_the_repository_of_its_weights():
    assert judge_repository("ViT-B-16-SigLIP2/webli") == "timm/ViT-B-16-SigLIP2"
    assert judge_repository("google/siglip2-base-patch16-224") == "google/siglip2-base-patch16-224"

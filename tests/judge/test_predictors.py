"Predictors: each architecture at tiny random weights, as real files, against its authors' formula."

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from artmint.core.collection import ScorerChoice, example, read_collection
from artmint.judge.plugins import ScorerContext, make_scorer, practice, scorer_contract
from artmint.judge.predictors import (
    LAYERS,
    REWARD_MEAN,
    REWARD_STD,
    BadPredictor,
    MissingPackage,
    PickledPredictor,
    PromptBeyondScorer,
    blip_name,
    convert_imagereward,
    files_digest,
    predictor_folder,
    to_safetensors,
)
from artmint.make.base import DATA_FOLDER
from tests.suites import some

CONTEXT = ScorerContext(read_collection(example() / "collection.toml"))
CANDIDATES, IMAGES = practice()
PROMPTS = [candidate.artifact.recipe["prompt"] for candidate in CANDIDATES]
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
EYES = SMALL | {"image_size": 32, "patch_size": 8}


def measured(kind: str, settings: dict) -> list[float]:
    scorer = make_scorer(ScorerChoice(name="tried", kind=kind, settings=settings), CONTEXT)
    return scorer.measure(CANDIDATES, IMAGES, np.zeros((len(IMAGES), 1)))


def mlp(width: int, widths: tuple[int, ...], prefix: str) -> torch.nn.Sequential:
    "Linear layers with dropout between them, as the authors write them."
    layers = []
    for wide, narrow in zip((width, *widths), widths):
        layers += [torch.nn.Linear(wide, narrow), torch.nn.Dropout(0.2)]
    return torch.nn.Sequential(*layers[:-1]).eval()


def saved_head(net: torch.nn.Module, prefix: str, path) -> str:
    save_file({prefix + key: part.contiguous() for key, part in net.state_dict().items()}, path)
    return str(path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    "A tiny CLIP with tokenizer and preprocessing in a folder, and itself."
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    torch.manual_seed(3)
    tokenizer = CLIPTokenizer.from_pretrained(DATA_FOLDER / "base" / "tokenizer")
    text = SMALL | {"vocab_size": len(tokenizer), "max_position_embeddings": 32}
    text |= {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    text |= {"pad_token_id": tokenizer.pad_token_id}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=EYES, projection_dim=48)).eval()
    folder = tmp_path_factory.mktemp("clip")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    crop = {"height": 32, "width": 32}
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=crop).save_pretrained(folder)
    return folder, model


@pytest.mark.parametrize(
    ("kind", "widths"), some([("laion-v1", (1,)), ("laion-v2", LAYERS)], [("laion-v2", LAYERS)])
)
def test_laion_is_linear_layers_over_clips_unit_embedding(tmp_path, clip, kind, widths):
    from transformers import CLIPImageProcessor

    folder, model = clip
    net = mlp(48, widths, "")
    single = kind == "laion-v1"
    head = saved_head(net[0] if single else net, "" if single else "layers.", tmp_path / "head.safetensors")
    settings = {"weights": str(folder), "head": head}
    pixels = CLIPImageProcessor.from_pretrained(folder)(images=IMAGES, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        rows = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output).numpy()
        unit = rows / np.linalg.norm(rows, axis=-1, keepdims=True)  # as improved-aesthetic-predictor does
        expected = net(torch.from_numpy(unit)).ravel().tolist()
    assert measured(kind, settings) == pytest.approx(expected, abs=1e-5)
    scorer_contract(kind, settings, fixed=("weights", "head", "revision", "batch"), elsewhere=single)


def test_v25_is_linear_layers_over_siglips_pooled_output(tmp_path):
    from transformers import SiglipImageProcessor, SiglipVisionConfig, SiglipVisionModel

    torch.manual_seed(4)
    model = SiglipVisionModel(SiglipVisionConfig(**EYES)).eval()
    model.save_pretrained(tmp_path)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    net = mlp(32, LAYERS, "scoring_head.")
    (tmp_path / "head").mkdir()
    head = saved_head(net, "scoring_head.", tmp_path / "head" / "head.safetensors")
    settings = {"weights": str(tmp_path), "head": head}
    pixels = SiglipImageProcessor.from_pretrained(tmp_path)(images=IMAGES, return_tensors="pt")
    with torch.inference_mode():
        pooled = model(**pixels).pooler_output
        expected = net(pooled / pooled.norm(dim=-1, keepdim=True)).ravel().tolist()
    assert measured("aesthetic-v25", settings) == pytest.approx(expected, abs=1e-5)
    fixed = ("weights", "head", "revision", "batch")
    scorer_contract("aesthetic-v25", settings, fixed=fixed, elsewhere=False)


def test_pickscore_is_the_scaled_cosine_of_prompt_and_picture(clip):
    from transformers import CLIPImageProcessor, CLIPTokenizer

    folder, model = clip
    inputs = CLIPImageProcessor.from_pretrained(folder)(images=IMAGES, return_tensors="pt")
    padded = {"padding": "max_length", "truncation": True, "max_length": 32, "return_tensors": "pt"}
    tokens = CLIPTokenizer.from_pretrained(folder)(PROMPTS, **padded)
    with torch.inference_mode():
        expected = model(**inputs, **tokens).logits_per_image.diagonal().tolist()  # logit_scale.exp() in it
    settings = {"weights": str(folder)}
    assert measured("pickscore", settings) == pytest.approx(expected, abs=1e-4)
    others = {"batch": 3}
    scorer_contract(
        "pickscore", settings, others, fixed=("weights", "revision", "processor"), elsewhere=False
    )


def test_a_number_does_not_depend_on_the_rows_of_a_forward_pass(clip):
    settings = {"weights": str(clip[0])}
    alone = measured("pickscore", settings)
    for batch in (2, 4):
        assert measured("pickscore", settings | {"batch": batch}) == pytest.approx(alone, abs=1e-4)


def padded(image, edge: int):
    "As HPS's ResizeMaxSize (hpsv2/src/open_clip/transform.py): the longest edge first, then a black frame."
    from torchvision.transforms.v2 import functional

    scale = edge / max(image.size)
    height, width = (round(side * scale) for side in (image.height, image.width))
    small = functional.resize(image, [height, width], functional.InterpolationMode.BICUBIC)
    across, down = edge - width, edge - height
    return functional.pad(small, [across // 2, down // 2, across - across // 2, down - down // 2], fill=0)


@pytest.mark.slow
def test_hps_is_the_cosine_of_open_clip_over_padded_pictures():
    import open_clip

    folder = DATA_FOLDER / "judge"
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}", precision="fp32")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    edge = np.max(model.visual.image_size).item()
    squares = [padded(image, edge) for image in IMAGES]
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    plain = open_clip.image_transform(edge, False, mean, std)
    with torch.inference_mode():
        seen = model.eval().encode_image(torch.stack([plain(image) for image in squares]), normalize=True)
        texts = model.encode_text(tokenizer(PROMPTS), normalize=True)
        expected = (seen @ texts.T).diagonal().tolist()
    settings = {"weights": str(folder)}
    assert measured("hps", settings) == pytest.approx(expected, abs=1e-5)
    cropped = measured("hps", settings | {"fit": "crop"})
    assert cropped[:4] == pytest.approx(expected[:4], abs=1e-5)  # square ones
    assert abs(cropped[4] - expected[4]) > 1e-4
    scorer_contract("hps", settings, {"fit": "crop", "batch": 2}, ("weights", "revision"), elsewhere=False)


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    "A tiny ImageReward in transformers' layout: its folder, BLIP's two encoders, and the MLP."
    from transformers import BertTokenizer, BlipConfig, BlipForImageTextRetrieval, BlipImageProcessor

    torch.manual_seed(5)
    words = sorted({word for prompt in PROMPTS for word in prompt.replace(",", " , ").split()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    folder = tmp_path_factory.mktemp("blip")
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    text = SMALL | {"vocab_size": 60, "encoder_hidden_size": 32, "max_position_embeddings": 64}
    config = BlipConfig(text_config=text, vision_config=EYES, projection_dim=16)
    model = BlipForImageTextRetrieval(config).eval()
    config.save_pretrained(folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    net = mlp(32, LAYERS, "")
    state = {key: part for key, part in model.state_dict().items() if key.startswith(("vision", "text_enc"))}
    state |= {f"mlp.layers.{key}": part for key, part in net.state_dict().items()}
    save_file({key: part.clone().contiguous() for key, part in state.items()}, folder / "model.safetensors")
    return folder, model, net


@pytest.mark.slow
def test_imagereward_is_blips_first_token_through_an_mlp(blip):
    from transformers import AutoTokenizer, BlipImageProcessor

    folder, model, net = blip
    tokens = AutoTokenizer.from_pretrained(folder)(
        PROMPTS, padding="max_length", truncation=True, max_length=35, return_tensors="pt"
    )
    pixels = BlipImageProcessor.from_pretrained(folder)(images=IMAGES, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        seen = model.vision_model(pixel_values=pixels).last_hidden_state
        states = model.text_encoder(
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            encoder_hidden_states=seen,
            encoder_attention_mask=torch.ones(seen.shape[:-1], dtype=torch.long),
        ).last_hidden_state
        expected = ((net(states[:, 0]) - REWARD_MEAN) / REWARD_STD).ravel().tolist()
    settings = {"weights": str(folder)}
    assert measured("imagereward", settings) == pytest.approx(expected, abs=1e-4)
    assert np.ptp(expected) > 1e-4
    scorer_contract("imagereward", settings, {"batch": 2}, ("weights", "revision"), elsewhere=False)


ORIGINAL = (
    ("vision_model.encoder.layers.", "visual_encoder.blocks."),
    ("self_attn.projection.", "attn.proj."),
    ("self_attn.", "attn."),
    ("layer_norm1.", "norm1."),
    ("layer_norm2.", "norm2."),
    ("vision_model.post_layernorm.", "visual_encoder.norm."),
    ("vision_model.embeddings.patch_embedding.", "visual_encoder.patch_embed.proj."),
    ("vision_model.embeddings.position_embedding", "visual_encoder.pos_embed"),
    ("vision_model.embeddings.class_embedding", "visual_encoder.cls_token"),
)


def original_name(name: str) -> str:
    "A tensor's name as BLIP's authors have it (salesforce/BLIP, models/vit.py)."
    for here, there in ORIGINAL:
        name = name.replace(here, there) if name.startswith(("vision", "visual")) else name
    return name


def test_a_file_in_blips_own_layout_is_converted(tmp_path, blip):
    folder, _, _ = blip
    state = load_file(folder / "model.safetensors")
    named = {original_name(key): part for key, part in state.items()}
    assert {blip_name(key) for key in named} == set(state)
    published = {key if key.startswith("mlp.") else f"blip.{key}": part for key, part in named.items()}
    torch.save(published, tmp_path / "ImageReward.pt")
    converted = convert_imagereward(tmp_path / "ImageReward.pt", folder, tmp_path / "folder")
    expected = measured("imagereward", {"weights": str(folder)})
    assert measured("imagereward", {"weights": str(converted)}) == expected


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    torch.manual_seed(6)
    tables = {"id2label": {0: "face", 1: "hand"}, "label2id": {"face": 0, "hand": 1}}
    sized = EYES | {"image_size": [32, 32], "num_detection_tokens": 6}
    model = YolosForObjectDetection(YolosConfig(**sized, **tables)).eval()
    folder = tmp_path_factory.mktemp("yolos")
    model.save_pretrained(folder)
    YolosImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder, model


@pytest.mark.slow
def test_a_detector_counts_what_it_is_sure_of(detector):
    from transformers import YolosImageProcessor

    folder, model = detector
    settings = {"weights": str(folder), "labels": ["face"], "threshold": 0.2}
    expected = []
    for image in IMAGES:
        inputs = YolosImageProcessor.from_pretrained(folder)(images=[image], return_tensors="pt")
        with torch.inference_mode():
            chances = model(**inputs).logits[0].softmax(-1)[:, :-1]
        best = chances.max(-1)
        expected.append(float(((best.values > 0.2) & (best.indices == 0)).sum()))
    assert measured("detector", settings) == expected
    shares = measured("detector", settings | {"number": "share"})
    sure = measured("detector", settings | {"number": "confidence"})
    for count, share, confidence in zip(expected, shares, sure):
        assert (count > 0) == (confidence > 0.2)
        assert 0 <= share <= 1
        assert share == 0 or count > 0
    others = {"labels": ["hand"], "number": "share", "threshold": 0.45}
    scorer_contract("detector", settings, others, ("weights", "revision", "batch"), elsewhere=False)
    with pytest.raises(BadPredictor, match="face, hand"):
        measured("detector", settings | {"labels": ["text"]})


def test_pickles_are_refused_with_the_way_to_convert_them(tmp_path, clip):
    net = mlp(48, LAYERS, "")
    pickled = tmp_path / "head.pth"
    torch.save({f"layers.{key}": part for key, part in net.state_dict().items()}, pickled)
    settings = {"weights": str(clip[0]), "head": str(pickled)}
    with pytest.raises(PickledPredictor, match="to_safetensors"):
        measured("laion-v2", settings)
    hidden = tmp_path / "head.bytes"
    hidden.write_bytes(pickled.read_bytes())
    with pytest.raises(PickledPredictor):
        measured("laion-v2", settings | {"head": str(hidden)})
    assert len(measured("laion-v2", settings | {"head": str(to_safetensors(pickled))})) == len(IMAGES)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "pytorch_model.bin").write_bytes(b"\x80\x02")
    with pytest.raises(PickledPredictor):
        predictor_folder("tried", str(tmp_path / "folder"))


def test_a_head_of_another_kind_or_width_is_refused(tmp_path, clip):
    settings = {"weights": str(clip[0])}
    one = saved_head(mlp(48, (1,), "")[0], "", tmp_path / "one.safetensors")
    narrow = saved_head(mlp(40, LAYERS, ""), "layers.", tmp_path / "narrow.safetensors")
    with pytest.raises(BadPredictor, match="shapes"):
        measured("laion-v2", settings | {"head": one})
    with pytest.raises(BadPredictor, match="40 numbers"):
        measured("laion-v2", settings | {"head": narrow})
    with pytest.raises(BadPredictor, match="no such file"):
        measured("laion-v2", settings | {"head": str(tmp_path / "none.safetensors")})


@pytest.mark.slow
def test_a_prompt_is_read_to_its_end_or_refused(clip):
    long = practice(2)
    for candidate in long[0]:
        candidate.artifact.recipe["prompt"] = "rings and waves " * 30
    for kind, weights in (("pickscore", clip[0]), ("hps", DATA_FOLDER / "judge")):
        choice = ScorerChoice(name="tried", kind=kind, settings={"weights": str(weights)})
        with pytest.raises(PromptBeyondScorer) as refused:
            make_scorer(choice, CONTEXT).measure(*long, np.zeros((2, 1)))
        assert refused.value.tokens > refused.value.limit == 32
        cut = choice.model_copy(update={"settings": choice.settings | {"cut_prompts": True}})
        assert make_scorer(cut, CONTEXT).digest != make_scorer(choice, CONTEXT).digest
        assert all(map(math.isfinite, make_scorer(cut, CONTEXT).measure(*long, np.zeros((2, 1)))))


def test_a_digest_covers_every_file_that_is_read(tmp_path, clip):
    import shutil

    for file in ("model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json"):
        folder = tmp_path / file
        shutil.copytree(clip[0], folder)
        assert files_digest(folder) == files_digest(clip[0])
        changed = bytearray((folder / file).read_bytes())
        changed[-1] ^= 1
        (folder / file).write_bytes(changed)
        assert files_digest(folder) != files_digest(clip[0])


def test_a_folder_without_preprocessing_is_refused(tmp_path, clip):
    import shutil

    folder = tmp_path / "bare"
    shutil.copytree(clip[0], folder)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(BadPredictor, match="preprocessor_config"):
        measured("pickscore", {"weights": str(folder)})
    assert len(measured("pickscore", {"weights": str(folder), "processor": str(clip[0])})) == len(IMAGES)


def test_a_missing_package_is_named_with_what_installs_it():
    import importlib.util

    if importlib.util.find_spec("pyiqa"):
        pytest.skip("pyiqa is installed")
    with pytest.raises(MissingPackage, match=r"pip install 'artmint\[pyiqa\]'"):
        measured("pyiqa", {"metric": "musiq"})


def test_a_metric_of_pyiqa_keeps_the_contract():
    pytest.importorskip("pyiqa", reason="pyiqa is not installed; pip install 'artmint[pyiqa]'")
    others = {"lowest": -9.0, "highest": 99.0}
    scorer_contract("pyiqa", {"metric": "entropy"}, others, ("metric",), elsewhere=False)
    with pytest.raises(BadPredictor, match="reference"):
        measured("pyiqa", {"metric": "psnr"})

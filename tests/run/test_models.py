"A studio's own models: files from elsewhere come in once, or are refused before anything is stored."

import hashlib
import json
import shutil
import tomllib

import pytest
import torch

from artmint.core.collection import Adapter, example
from artmint.make.adapters import pack_tensors, read_adapter
from artmint.make.base import load_base
from artmint.console import cli
from artmint.run.models import open_base
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog
from artmint.studio.maintenance import gc
from tests.adapters import kohya, layers, random_lora
from tests.families import saved
from tests.workflows import TWO_SAMPLERS


@pytest.fixture(scope="module")
def bundled():
    return load_base()


@pytest.fixture
def house(tmp_path, monkeypatch):
    "A folder with an empty studio, to type commands in."
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studio").mkdir()
    return tmp_path


HEADER = {
    "ss_sd_model_name": "v1-5-pruned-emaonly.safetensors",
    "ss_base_model_version": "sd_v1",
    "ss_network_dim": "4",
    "ss_network_module": "networks.lora",
    "ss_resolution": "(512, 512)",
    "ss_tag_frequency": json.dumps({"10_riso": {"riso print": 24, "waves": 9}, "5_more": {" riso print": 3}}),
}


def civitai(base, seed: int = 0, **facts: str) -> bytes:
    "A file as kohya's tools write it and people pass it around."
    lora = random_lora(base, layers(base, "to_q", "to_k", "q_proj"), (4,), (2.0,), seed)
    halves = {name: t.half() if t.dim() else t for name, t in kohya(lora).items()}
    return pack_tensors({name: t.clone() for name, t in halves.items()}, HEADER | facts)


def typed(capsys, *words: str) -> tuple[int, str, str]:
    "The code, the output and the messages of a command."
    capsys.readouterr()
    code = 0
    try:
        cli.main([str(word) for word in words])
    except SystemExit as end:
        code = end.code or 0
    return code, *capsys.readouterr()


def answer(capsys, *words: str) -> dict:
    code, out, _ = typed(capsys, *words, "--json")
    return json.loads(out) | {"code": code}


def names(studio) -> dict:
    return {kind: Catalog(studio).all(kind) for kind in ("adapter", "embedding", "base")}


NOTHING = {"adapter": {}, "embedding": {}, "base": {}}


def test_a_file_from_elsewhere_comes_in_and_is_ready_to_paste(house, bundled, capsys):
    data = civitai(bundled)
    file = house / "Riso Style_v2 (1).safetensors"
    file.write_bytes(data)
    added = answer(capsys, "adapter", "add", file, "--name", "riso")
    assert added["code"] == 0
    assert added["digest"] == hashlib.sha256(data).hexdigest()
    assert added["changes"]["algorithms"] == {"LoRA": sum(added["changes"]["layers"].values())}
    assert (added["changes"]["rank"], added["changes"]["alpha"]) == ("4", "2")
    assert added["header"]["trained on"] == "v1-5-pruned-emaonly.safetensors"
    assert added["header"]["commonest tags"] == "riso print, waves"
    assert Catalog(house / "studio").blob(added["digest"]) == data
    shutil.copytree(example(), house / "demo")
    with (house / "demo" / "collection.toml").open("a") as collection:
        collection.write("\n" + added["lines"])
    assert load_collection(house / "demo").adapters == (Adapter(name="riso", digest=added["digest"]),)


def test_twice_is_once_and_a_name_that_is_taken_says_what_it_meant(house, bundled, capsys):
    file, link = house / "a.safetensors", house / "link.safetensors"
    file.write_bytes(civitai(bundled))
    link.symlink_to(file)
    first = answer(capsys, "adapter", "add", file, "--name", "riso")
    for path in (file, link):
        again = answer(capsys, "adapter", "add", path, "--name", "riso")
        assert (again["digest"], again["kept_before"], again["replaced"]) == (first["digest"], True, None)
    assert len(Catalog(house / "studio").rows("adapter")) == 1
    file.write_bytes(civitai(bundled, seed=1))
    code, out, _ = typed(capsys, "adapter", "add", file, "--name", "riso")
    assert code == 0
    assert f"meant {first['digest'][:12]}… before" in out
    assert Catalog(house / "studio").find("adapter", "riso")["digest"] != first["digest"]
    assert Catalog(house / "studio").has_blob(first["digest"])


def test_a_folder_of_peft_comes_in_with_its_alpha(house, bundled, capsys):
    from peft import LoraConfig, get_peft_model

    base = load_base()
    config = LoraConfig(r=4, lora_alpha=2, target_modules=["to_q"], init_lora_weights=False)
    get_peft_model(base.pipeline.unet, config).save_pretrained(house / "run-7")
    added = answer(capsys, "adapter", "add", house / "run-7", "--name", "riso")
    assert (added["code"], added["changes"]["alpha"]) == (0, "2")
    kept = Catalog(house / "studio").blob(added["digest"])
    assert kept == read_adapter(house / "run-7")


def test_words_that_an_adapter_carries_are_kept_beside_it(house, bundled, capsys):
    width = bundled.pipeline.text_encoder.config.hidden_size
    lora = kohya(random_lora(bundled, layers(bundled, "to_q")))
    bundle = {"bundle_emb.<riso>.emb_params": torch.ones(2, width)}
    file = house / "both.safetensors"
    file.write_bytes(pack_tensors({name: t.clone() for name, t in (lora | bundle).items()}, {}))
    added = answer(capsys, "adapter", "add", file, "--name", "riso")
    lines = tomllib.loads(added["lines"])
    assert lines["embeddings"] == [added["words"]["<riso>"]]
    assert names(house / "studio")["embedding"]["<riso>"]["digest"] == added["words"]["<riso>"]
    assert answer(capsys, "adapter", "show", file)["carries words"] == "<riso>"


def wrong_files(base) -> dict[str, tuple[bytes, str]]:
    lora = kohya(random_lora(base, layers(base, "to_q")))
    deeper = {name.replace("attn1", "attn9"): t.clone() for name, t in lora.items()}
    xl = {
        f"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_{way}.weight": torch.ones(2, 2)
        for way in ("up", "down")
    }
    return {
        "no safetensors": (b"<html>Log in to download</html>", "no safetensors file"),
        "cut off": (civitai(base)[:-100], "no safetensors file"),
        "empty": (b"", "no safetensors file"),
        "another model's": (pack_tensors(lora | deeper, {}), "aren't in this base"),
        "another family's": (pack_tensors(xl, {}), "made for Stable Diffusion XL"),
        "a checkpoint": (
            pack_tensors({"model.diffusion_model.a.weight": torch.ones(1)}, {}),
            "name it as the base",
        ),
        "an embedding": (pack_tensors({"emb_params": torch.ones(1, 8)}, {}), "embedding add"),
    }


@pytest.mark.many(2)
@pytest.mark.parametrize("name", wrong_files(load_base()))
def test_a_wrong_file_is_refused_before_anything_is_stored(house, bundled, capsys, name):
    data, words = wrong_files(bundled)[name]
    (house / "a.safetensors").write_bytes(data)
    code, out, messages = typed(capsys, "adapter", "add", "a.safetensors", "--name", "riso")
    assert code == 2
    assert words in messages
    assert out == ""
    assert names(house / "studio") == NOTHING
    assert Catalog(house / "studio").blob_names() == []


@pytest.mark.slow
def test_wrong_use_stores_nothing(house, bundled, capsys):
    (house / "a.safetensors").write_bytes(civitai(bundled))
    for words in (
        ("adapter", "add", "a.safetensors", "--name", "Riso Print"),
        ("adapter", "show", "nobody"),
        ("adapter", "add", "a.safetensors", "--name", "riso", "--studio", "elsewhere"),
        ("base", "add", "bundled", "--name", "My Base"),
    ):
        assert typed(capsys, *words)[0] == 2
    assert names(house / "studio") == NOTHING
    assert not (house / "elsewhere").exists()
    assert typed(capsys, "adapter", "add", "none.safetensors", "--name", "riso")[0] == 2


@pytest.mark.slow
def test_show_tells_what_a_file_is_by_name_or_by_path(house, bundled, capsys):
    file = house / "a.safetensors"
    file.write_bytes(
        civitai(bundled, **{"modelspec.license": "CC-BY-4.0", "modelspec.trigger_phrase": "riso"})
    )
    answer(capsys, "adapter", "add", file, "--name", "riso")
    by_path = answer(capsys, "adapter", "show", "./a.safetensors")
    assert by_path == answer(capsys, "adapter", "show", "riso")
    assert (by_path["rank"], by_path["family"], by_path["resolution"]) == (
        "4",
        "Stable Diffusion 1",
        "(512, 512)",
    )
    assert (by_path["licence"], by_path["trigger"], by_path["lineage"]) == ("CC-BY-4.0", "riso", None)
    there = answer(capsys, "adapter", "show", "riso", "--base", "bundled")
    assert sum(there["layers there"].values()) == by_path["layers"]
    assert "riso print" in typed(capsys, "adapter", "show", "riso")[1]
    code, out, _ = typed(capsys, "adapter", "list")
    assert (code, out.split()[0]) == (0, "riso")


@pytest.mark.parametrize("tags", ["{", "[1]", '{"a": 3}', '{"a": {"b": "x"}}'])
def test_a_broken_header_of_tags_hides_nothing_else(house, bundled, capsys, tags):
    (house / "a.safetensors").write_bytes(civitai(bundled, ss_tag_frequency=tags))
    shown = answer(capsys, "adapter", "show", "a.safetensors")
    assert "commonest tags" not in shown
    assert shown["trained on"] == "v1-5-pruned-emaonly.safetensors"


@pytest.mark.slow
def test_an_embedding_comes_in_under_its_word(house, bundled, capsys):
    width = bundled.pipeline.text_encoder.config.hidden_size
    file = house / "EasyStudio.safetensors"
    file.write_bytes(pack_tensors({"emb_params": torch.ones(2, width)}, {}))
    added = answer(capsys, "embedding", "add", file, "--word", "<studio>")
    assert tomllib.loads(added["lines"])["embeddings"] == [added["digest"]]
    assert answer(capsys, "embedding", "add", file, "--word", "<studio>")["kept_before"]
    assert gc(house / "studio", days=0).blobs == []
    assert typed(capsys, "embedding", "list")[1].split() == ["<studio>", added["digest"]]
    for words, message in (
        (("embedding", "add", file), "doesn't name its word"),
        (("embedding", "add", file, "--word", "rings"), "token 'rings' of its own"),
    ):
        code, _, messages = typed(capsys, *words)
        assert (code, message in messages) == (2, True)


@pytest.mark.slow
def test_a_base_has_a_name_and_the_studios_only_one_is_meant(house, capsys):
    folder = saved("sdxl", house / "models" / "tiny-xl")
    added = answer(capsys, "base", "add", "models/tiny-xl", "--name", "xl")
    assert (added["code"], added["family"], added["source"]) == (
        0,
        "Stable Diffusion XL",
        str(folder.resolve()),
    )
    assert tomllib.loads(added["lines"])["generation"]["base"] == str(folder.resolve())
    assert answer(capsys, "base", "add", "models/tiny-xl", "--name", "xl")["kept_before"]
    base = load_base(folder)
    tensors = kohya(random_lora(base, layers(base, "to_q")), True, ("lora_unet", "lora_te1", "lora_te2"))
    (house / "a.safetensors").write_bytes(pack_tensors({n: t.clone() for n, t in tensors.items()}, {}))
    fitting = answer(capsys, "adapter", "add", "a.safetensors", "--name", "riso")
    assert fitting["base"] == added["digest"]
    code, _, messages = typed(
        capsys, "adapter", "add", "a.safetensors", "--name", "other", "--base", "bundled"
    )
    assert (code, "aren't in this base" in messages) == (2, True)
    assert open_base(Catalog(house / "studio"), "xl").digest == added["digest"]
    assert typed(capsys, "base", "list")[1].split()[0] == "xl"


def test_a_base_that_isnt_there_is_not_recorded(house, capsys):
    code, _, messages = typed(capsys, "base", "add", "models/nothing.safetensors", "--name", "xl")
    assert (code, "nothing.safetensors" in messages) == (2, True)
    assert names(house / "studio") == NOTHING


@pytest.mark.slow
def test_the_words_of_a_bundle_are_one_list(house, bundled, capsys):
    width = bundled.pipeline.text_encoder.config.hidden_size
    lora = kohya(random_lora(bundled, layers(bundled, "to_q")))
    bundle = {f"bundle_emb.<{word}>.emb_params": torch.ones(2, width) for word in ("riso", "grain")}
    file = house / "both.safetensors"
    file.write_bytes(pack_tensors({name: t.clone() for name, t in (lora | bundle).items()}, {}))
    added = answer(capsys, "adapter", "add", file, "--name", "riso")
    assert tomllib.loads(added["lines"])["embeddings"] == list(added["words"].values())
    assert len(added["words"]) == 2


@pytest.mark.slow
def test_all_paths_of_a_base_are_found_from_elsewhere(house, capsys, monkeypatch):
    "A batch's notebooks run in a folder of their own."
    folder = saved("sd1", house / "models" / "tiny")
    added = answer(capsys, "base", "add", "models/tiny", "--name", "tiny", "--vae", "models/tiny/vae")
    assert added["files"] == {"vae": str((folder / "vae").resolve())}
    (house / "runs").mkdir()
    monkeypatch.chdir(house / "runs")
    assert open_base(Catalog(house / "studio"), "tiny").digest == added["digest"]


def test_what_cant_be_said_of_a_base_is_refused(house, capsys):
    said = typed(capsys, "base", "add", "bundled", "--name", "own", "--prediction-type", "eps")
    assert said[0] == 2 and "prediction_type" in said[2] and "'epsilon'" in said[2]
    assert names(house / "studio") == NOTHING


@pytest.mark.slow
def test_a_replaced_adapter_says_who_gets_the_new_one(house, bundled, capsys):
    file = house / "a.safetensors"
    for seed in (0, 1):
        file.write_bytes(civitai(bundled, seed=seed))
        out = typed(capsys, "adapter", "add", file, "--name", "riso")[1]
    assert "those that name none get the new one for their open slots" in out
    assert "have begun" not in out


def test_a_workflows_table_is_written_out_for_people_to_read(house, capsys):
    (house / "hill.json").write_text(json.dumps(TWO_SAMPLERS))
    code, out, _ = typed(capsys, "engines", "workflow", "hill.json")
    assert code == 0
    assert tomllib.loads(out)["workflow"]["inputs"]["seed"] == ["11.seed", "3.seed"]
    assert "# steps: 11.steps is 12, 3.steps is 20; choose" in out
    facts = answer(capsys, "engines", "workflow", "hill.json")
    assert (facts["output"], facts["models"]) == ("9", ["riso.safetensors"])


def test_the_editors_format_a_missing_file_and_no_file_are_wrong_use(house, capsys):
    (house / "editor.json").write_text('{"nodes": [], "links": []}')
    (house / "bytes.json").write_bytes(b"\xff\xfe")
    for name, words in (
        ("editor.json", "Export (API)"),
        ("none.json", "can't be read"),
        ("bytes.json", "save it as UTF-8"),
    ):
        code, _, said = typed(capsys, "engines", "workflow", name)
        assert code == 2
        assert words in said

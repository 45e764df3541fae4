"Upscalers, ControlNets, IP-Adapters, encoders and pictures come into a studio once, or are refused before anything is stored."

import hashlib
import json

import pytest
from PIL import Image

from artmint.console import cli
from artmint.core.picture import read_png
from artmint.make.base import load_base
from artmint.studio.catalog import Catalog
from artmint.studio.maintenance import gc
from tests.grown import compact, control, disc, edges, ip_adapter, vision


@pytest.fixture
def house(tmp_path, monkeypatch):
    "A folder with an empty studio, to type commands in."
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studio").mkdir()
    return tmp_path


def typed(capsys, *words: str) -> tuple[int, str, str]:
    "The code, the output and the messages of a command."
    capsys.readouterr()
    code = 0
    try:
        cli.main([str(word) for word in words])
    except SystemExit as end:
        code = end.code or 0
    out, err = capsys.readouterr()
    return code, out, err


def test_an_upscaler_comes_in_and_its_name_may_mean_another_one_later(house, capsys):
    for seed in (1, 2):
        (house / f"{seed}.safetensors").write_bytes(compact(seed))
    digests = [hashlib.sha256(compact(seed)).hexdigest() for seed in (1, 2)]
    code, out, _ = typed(capsys, "upscaler", "add", "1.safetensors", "--name", "sharp")
    assert code == 0 and f'[generation.upscale]\ndigest = "{digests[0]}"\nscale = 4' in out
    assert "nothing changed" in typed(capsys, "upscaler", "add", "1.safetensors", "--name", "sharp")[1]
    code, out, _ = typed(capsys, "upscaler", "add", "2.safetensors", "--name", "sharp")
    assert f"this name meant {digests[0][:12]}… before" in out
    assert typed(capsys, "upscaler", "list")[1].split() == ["sharp", digests[1]]
    assert gc(house / "studio", days=0).blobs == []
    code, _, err = typed(capsys, "upscaler", "add", "1.safetensors", "--name", "Not A Name")
    assert code == 2 and "is no name here" in err


def test_pickles_and_what_is_none_of_it_are_refused_and_store_nothing(house, capsys):
    (house / "4x.pth").write_bytes(b"\x80\x04.")
    (house / "junk.safetensors").write_bytes(b"junk")
    for words, said in (
        (("upscaler", "add", "4x.pth"), "is a pickle"),
        (("upscaler", "add", "junk.safetensors"), "no safetensors file"),
        (("control", "add", "4x.pth"), "is a pickle"),
        (("control", "add", "junk.safetensors"), "no safetensors file"),
        (("ip-adapter", "add", "junk.safetensors"), "no safetensors file"),
        (("image-encoder", "add", "junk.safetensors"), "no folder"),
    ):
        code, _, err = typed(capsys, *words, "--name", "x")
        assert code == 2 and said in err, (words, err)
    assert list(Catalog(house / "studio").blob_names()) == []


@pytest.mark.slow
def test_networks_for_a_base_come_in_and_others_dont(house, capsys):
    unet = load_base().pipeline.unet
    control(unet, 1, shrinks=2).save_pretrained(house / "net")
    control(unet, 1, shrinks=3).save_pretrained(house / "coarse")
    vision(1).save_pretrained(house / "eye")
    (house / "ip.safetensors").write_bytes(ip_adapter(unet, 1))
    code, out, _ = typed(capsys, "control", "add", "net", "--name", "edges", "--json")
    assert code == 0
    catalog = Catalog(house / "studio")
    assert (
        hashlib.sha256(catalog.blob(json.loads(out)["digest"])).hexdigest()
        == catalog.get("control", "edges")["digest"]
    )
    code, _, err = typed(capsys, "control", "add", "coarse", "--name", "coarse")
    assert code == 2 and "shrinks its picture by 8" in err
    assert (
        "[[generation.picture_prompts]]"
        in typed(capsys, "ip-adapter", "add", "ip.safetensors", "--name", "ip")[1]
    )
    assert "encoder = " in typed(capsys, "image-encoder", "add", "eye", "--name", "eye")[1]
    for verb, name in (("control", "edges"), ("ip-adapter", "ip"), ("image-encoder", "eye")):
        assert typed(capsys, verb, "list")[1].startswith(name)


def test_a_picture_comes_in_plain_and_a_transparent_one_wants_a_ground(house, capsys):
    edges(40, 30).save(house / "edges.jpg", quality=95)
    mask = disc(32)
    mask.putalpha(mask.convert("L"))
    mask.save(house / "mask.png")
    code, out, _ = typed(capsys, "picture", "add", "edges.jpg")
    assert code == 0 and "40x30" in out and 'mask = "' in out
    code, _, err = typed(capsys, "picture", "add", "mask.png")
    assert code != 0 and "transparent" in err
    code, out, _ = typed(capsys, "picture", "add", "mask.png", "--ground", "#000000", "--json")
    digest = json.loads(out)["digest"]
    data = Catalog(house / "studio").blob(digest)
    assert read_png(data)[0].convert("L").getextrema() == (0, 255)
    assert digest in typed(capsys, "picture", "list")[1]
    assert Image.open(house / "mask.png").mode == "RGBA"

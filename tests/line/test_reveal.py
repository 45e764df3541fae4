"Sixteen sealed tokens with their films: from the placeholder through two waves to the proof, by batches as a studio runs them."

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from artmint.chain.connect import connect
from artmint.chain.contract import contract_at
from artmint.core.canon import read_json
from artmint.run.batch import load_batch
from artmint.run.runner import StageFailed, batch_address, run_batch
from artmint.studio.catalog import Catalog
from artmint.verify import verify
from tests.conftest import TINY
from tests.safes import artmint

pytest.importorskip("imageio_ffmpeg", reason="ffmpeg comes with the extra artmint[films]")
STAGES = ["00_seeds", "15_generate", "20_curate", "25_metadata", "27_pin", "30_mint", "31_reveal"]
BATCH = """name = "sixteen-{drop}"
collection = "sixteen"
drop = {drop}
first = {first}
quantity = 8
stages = {stages}
[reveal]
picture = "cover.png"
keep = "safe"
[[reveal.waves]]
drops = [1]
at = 2020-01-01T00:00:00Z
[[reveal.waves]]
drops = [2]
at = 2199-01-01T00:00:00Z
"""
FILMS = '[films]\nanimation = "mp4"\nseconds = 0.5\nfps = 10\nhold = 0.2\nside = 128\ntraits = true\ntemplate = "portrait"\n'


def studio_of(folder: Path) -> Path:
    "A collection of sixteen small pictures, without a public salt, and two batches of eight."
    words = (TINY / "collection.toml").read_text()
    for old, new in (
        *(
            ("tiny", "sixteen"),
            ("supply = 4", "supply = 16"),
            ('salt = "sixteen"\n', ""),
            ("unique = true\n", ""),
        ),
        *((f"{value} = 2", f"{value} = 8") for value in ("rings", "waves", "ocean", "ember")),
    ):
        words = words.replace(old, new)
    (folder / "sixteen").mkdir()
    (folder / "sixteen/collection.toml").write_text(words + FILMS)
    Image.new("RGB", (64, 64), "#203040").save(folder / "cover.png")
    for drop, first in ((1, 1), (2, 9)):
        (folder / f"{drop}.toml").write_text(BATCH.format(drop=drop, first=first, stages=json.dumps(STAGES)))
    return folder / "studio"


@pytest.mark.slow
def test_sixteen_sealed_tokens_are_told_in_two_waves(tmp_path, capsys):
    studio = studio_of(tmp_path)
    run_batch(load_batch(tmp_path / "1.toml"), studio, lambda line: None)
    with pytest.raises(StageFailed) as waiting:
        run_batch(load_batch(tmp_path / "2.toml"), studio, lambda line: None)
    assert (waiting.value.error, waiting.value.exit_code) == ("WaveEarly", 4)
    address = batch_address(load_batch(tmp_path / "1.toml"), studio).split(":")[1]
    ask = contract_at(connect("embedded", studio / "chain"), address).functions
    placeholder = ask.placeholderURI().call()
    assert [ask.tokenURI(token).call() == placeholder for token in range(1, 17)] == [False] * 8 + [True] * 8
    said = verify(f"embedded:{address}", studio, tokens=range(1, 9))
    assert {step.status for step in said.steps if step.name in ("seal", "media", "content")} == {"held"}
    said = artmint(
        capsys, "films", tmp_path / "2.toml", "--studio", studio, "--out", tmp_path / "out", code=4
    )
    assert "told later" in said
    artmint(capsys, "reveal", tmp_path / "2.toml", "--wave", 2, "--early", "--studio", studio)
    proof = verify(f"embedded:{address}", studio)
    assert [step.status for step in proof.steps if step.name == "seal"] == ["held", "held"]
    assert "failed" not in {step.status for step in proof.steps}
    artmint(capsys, "films", tmp_path / "2.toml", "--studio", studio, "--sheet", "--out", tmp_path / "out")
    films = sorted(path.name for path in (tmp_path / "out").glob("*.mp4"))
    assert len(films) == 9 and "sixteen-sheet.mp4" in films
    token = read_json((studio / "drops/sixteen-2/root/9.json").read_bytes())
    assert token["animation_url"].startswith("ipfs://")
    assert len(list((tmp_path / "safe").iterdir())) == 2
    once = [body["purpose"]["verb"] for body in Catalog(studio).all("transaction").values()]
    assert (once.count("commitSealedDrop"), once.count("reveal")) == (2, 2)
    shutil.rmtree(studio)

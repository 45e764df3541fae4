"A drop through a real server with A1111's API: minted and proven on the embedded chain, the server and the driver killed in between."

import base64
import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from artmint.core.picture import pixel_digest
from artmint.core.records import Recipe
from artmint.make.a1111 import A1111Place, open_a1111
from artmint.make.engines import PainterSource
from artmint.studio.catalog import Catalog

from .. import a1111
from ..services import free_port, stop

ROOT = Path(__file__).parents[2]
ARTMINT = str(Path(sys.executable).with_name("artmint"))


def place(folder: Path, port: int) -> Path:
    "A user's folder: the small collection with another engine, a batch of two tokens, a studio that names the server."
    folder.mkdir()
    shutil.copytree(ROOT / "tests/data/tiny", folder / "tiny")
    words = (folder / "tiny/collection.toml").read_text()
    words = re.sub("publish_weights = true\n", "", words)
    words = re.sub(
        "steps = 2\n(.*)profile = .portable.\nattempts = 2",
        r'engine = "a1111"\nbase = "tiny-sd1"\nscheduler = "Euler"\nsteps = 3\n\1attempts = 1',
        words,
        flags=re.DOTALL,
    )
    assert 'engine = "a1111"' in words
    (folder / "tiny/collection.toml").write_text(words)
    batch = (ROOT / "tests/data/tiny.toml").read_text()
    batch = batch.replace("quantity = 4", "quantity = 2").partition("\n[parameters")[0]
    (folder / "tiny.toml").write_text(batch)
    (folder / "studio").mkdir()
    (folder / "studio/studio.toml").write_text(
        f'[engines.desk]\nkind = "a1111"\nurl = "http://127.0.0.1:{port}"\nmodels = {{ tiny-sd1 = "{a1111.sha256()}" }}\n'
    )
    return folder


def run(folder: Path) -> subprocess.Popen:
    "The batch, begun."
    words = [ARTMINT, "run", "tiny.toml"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, cwd=folder, start_new_session=True, **pipes)


def artifacts(folder: Path) -> dict[str, dict]:
    "What was painted."
    if not (folder / "studio/catalog.sqlite").exists():
        return {}
    return Catalog(folder / "studio").all("artifact")


def begun(port: int) -> subprocess.Popen:
    "A server that answers."
    process = a1111.start(port)
    a1111.wait(process, port)
    return process


@pytest.mark.slow
def test_a_drop_by_a_server_survives_it_and_is_minted_once(tmp_path):
    "The server dies under the first picture, the driver after it; then the batch is run again."
    port = free_port()
    a1111.program()
    folder = place(tmp_path / "here", port)
    server = begun(port)
    try:
        driver = run(folder)
        while not artifacts(folder) and driver.poll() is None:
            time.sleep(0.05)
        assert driver.poll() is None, driver.communicate()
        driver.kill()
        driver.communicate()
        server.send_signal(signal.SIGKILL)
        server.wait()
        first = artifacts(folder)
        assert len(first) == 1
        away = run(folder)
        words = "".join(away.communicate(timeout=600))
        assert away.returncode == 3, words
        assert "can't be reached" in words
        assert "start the server, and run again" in " ".join(words.split())
        assert artifacts(folder) == first
        server = begun(port)
        done = run(folder)
        words = "".join(done.communicate(timeout=900))
        assert done.returncode == 0, words
        painted = artifacts(folder)
        assert len(painted) == 2
        assert all(painted[dna] == body for dna, body in first.items())
        assert sorted(Catalog(folder / "studio").all("token")) == ["tiny/1", "tiny/2"]
        for body in painted.values():
            assert body["environment"]["server"] == "stable-diffusion.cpp"
            assert a1111.sha256() in body["environment"]["sha256"]
            assert body["recipe"]["engine"] == "a1111"
            assert body["recipe"]["base"] == a1111.sha256()
        target = PainterSource(engine="a1111", base="tiny-sd1")
        known = A1111Place("desk", f"http://127.0.0.1:{port}", stated={"tiny-sd1": a1111.sha256()})
        again = open_a1111(target, None, known)
        recipes = [Recipe.parse(body["recipe"]) for body in painted.values()]
        digests = [pixel_digest(image) for image in again.render(recipes)]
        assert digests == [body["pixel_digest"] for body in painted.values()]
    finally:
        stop(server)
    address = re.search(r"embedded:0x[0-9a-fA-F]{40}", words)[0]
    words = [ARTMINT, "verify", address, "--studio", "studio", "--json"]
    proof = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    assert proof.returncode == 0, proof.stdout
    words.append("--regenerate")
    unchecked = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    assert unchecked.returncode == json.loads(unchecked.stdout)["exit_code"] == 3, unchecked.stdout
    assert "need a server with A1111's API" in unchecked.stdout


@pytest.mark.slow
def test_others_client_sends_what_we_send(tmp_path):
    "webuiapi, a client that others wrote, asks a server of this process; the fields that both send are equal."
    from artmint.core.records import SecondPass
    from artmint.make.a1111 import A1111Client, A1111Painter, A1111Server

    from ..webui import SHA, webui

    python = a1111.oracle()
    script = tmp_path / "ask.py"
    script.write_text(
        "import json, sys, webuiapi\n"
        "from PIL import Image\n"
        "port, kind, words = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])\n"
        "api = webuiapi.WebUIApi(host='127.0.0.1', port=port)\n"
        "if kind == 'img2img': words['images'] = [Image.open(sys.argv[4])]\n"
        "found = getattr(api, kind)(**words)\n"
        "print(found.image.size, found.info['seed'])\n"
    )
    start = tmp_path / "start.png"
    Image.new("RGB", (64, 72), "red").save(start)
    digest = hashlib.sha256(start.read_bytes()).hexdigest()
    shared = {
        "base": SHA,
        "engine": "a1111",
        "prompt": "a fox",
        "negative_prompt": "dull",
        "seed": 2**32 - 1,
        "width": 64,
        "height": 72,
    }
    shared |= {"scheduler": "Euler", "schedule": "karras", "steps": 9, "guidance": 6.5, "clip_skip": 2}
    asked = [Recipe(**shared), Recipe(**shared, hires=SecondPass(scale=1.5, strength=0.5))]
    asked += [Recipe(**shared, init=digest, strength=0.7)]
    with webui() as server:
        painter = A1111Painter(None, A1111Server(A1111Client(server.url), "fox"))
        painter.render(asked, blob=lambda name: start.read_bytes())
        for page, body in list(server.asked):
            kind = page.rpartition("/")[2]
            words = {name: value for name, value in body.items() if name != "init_images"}
            more = [str(start)] if kind == "img2img" else []
            command = [python, script, str(server.server_port), kind, json.dumps(words), *more]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
            theirs = server.asked[-1][1]
            assert server.asked[-1][0] == page
            assert {name: theirs[name] for name in words} == words
            if kind == "img2img":
                ours, other = (
                    base64.b64decode(sent["init_images"][0].partition(",")[2] or sent["init_images"][0])
                    for sent in (body, theirs)
                )
                assert pixel_digest(Image.open(BytesIO(ours))) == pixel_digest(Image.open(BytesIO(other)))
            width, height = asked[0].size if "hr_resize_x" not in body else asked[1].size
            assert done.stdout.strip() == f"({width}, {height}) {2**32 - 1}"

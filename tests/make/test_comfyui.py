"ComfyUI as an engine: nothing is painted twice, what comes back is held against what was asked, and faults are told."

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from artmint.core.collection import Workflow
from artmint.core.records import Recipe, UnreadFields
from artmint.make.comfyui import (
    ComfyServer,
    ComfyUI,
    EngineAway,
    EngineFailed,
    EngineLacks,
    WrongPicture,
    checked_picture,
    lacking_parts,
    prompt_number,
    server_facts,
)
from artmint.make.engine import BrokenPicture
from artmint.make.workflows import filled, guess_inputs, output_node, read_plan
from tests.workflows import SIMPLE


def planned(graph: dict = SIMPLE):
    "A plan with the guessed table."
    table = guess_inputs(graph, output_node(graph, "w.json"))[0]
    inputs = {own: tuple(places) for own, places in table.items()}
    return read_plan(Workflow(file="w.json", graph=json.dumps(graph), inputs=inputs))


PLAN = planned()


def recipe(**fields) -> Recipe:
    "A small recipe for the simple graph."
    own = {
        "base": PLAN.digest,
        "prompt": "ein Hügel 山",
        "seed": 7,
        "scheduler": "euler",
        "engine": "comfyui",
    }
    return Recipe(**own | {"width": 64, "height": 64} | fields)


def png(size=(64, 64), mode="RGB", flat=False, **texts: str) -> bytes:
    "A picture as ComfyUI writes it."
    shape = (size[1], size[0], 4 if mode == "RGBA" else 3)
    pixels = (
        np.full(shape, 9, np.uint8) if flat else np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    )
    chunks = PngInfo()
    for name, text in texts.items():
        chunks.add_text(name, text)
    out = BytesIO()
    Image.fromarray(pixels, mode).save(out, "PNG", pnginfo=chunks)
    return out.getvalue()


class Faulty:
    "Answers as ComfyUI 0.3.75 does, and fails where it is told to: `faults` are used up, one for each picture asked for."

    def __init__(self, *faults: str, picture: bytes = png()):
        self.faults, self.picture = list(faults), picture
        self.history, self.asked, self.freed, self.cleaned = {}, [], 0, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *words):
                "Nobody reads it."

            def do_GET(self):
                outer.get(self)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.post(self, body)

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def answer(self, handler, body: bytes, status: int = 200) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def get(self, handler) -> None:
        path = handler.path
        if path.startswith("/view"):
            if self.cleaned:
                self.cleaned -= 1
                return self.answer(handler, b"", 404)
            return self.answer(handler, self.picture)
        answers = {"/queue": {"queue_running": [], "queue_pending": []}, "/system_stats": {}}
        answers["/object_info"] = {one["class_type"]: {"input": {}} for one in SIMPLE.values()}
        number = path.rpartition("/")[2]
        answers[f"/history/{number}"] = {number: self.history[number]} if number in self.history else {}
        self.answer(handler, json.dumps(answers[path]).encode())

    def post(self, handler, body: dict) -> None:
        if handler.path == "/free":
            self.freed += 1
            return self.answer(handler, b"")
        number, fault = body["prompt_id"], self.faults.pop(0) if self.faults else ""
        self.asked.append(number)
        error = {
            "node_id": "3",
            "node_type": "KSampler",
            "exception_type": fault,
            "exception_message": "no\nmore",
        }
        messages = {"interrupt": [["execution_interrupted", {}]], "": []}.get(
            fault, [["execution_error", error]]
        )
        status = {
            "status_str": "error" if fault not in ("", "lost answer", "other") else "success",
            "messages": messages,
        }
        painted = body["prompt"] if fault != "other" else {}
        images = [{"filename": "a_1.png", "subfolder": "artmint", "type": "output"}]
        entry = {
            "prompt": [0, number, painted, {}, []],
            "outputs": {"9": {"images": images}},
            "status": status,
        }
        if fault == "bad":
            return self.answer(handler, b'{"error": {"message": "Prompt outputs failed validation"}}', 400)
        if fault != "forgotten":
            self.history[number] = entry
        if fault == "lost answer":
            return handler.connection.close()
        self.answer(handler, json.dumps({"prompt_id": number}).encode())


@pytest.fixture
def faulty():
    "Starts servers, and ends them."
    servers = []

    def start(*faults: str, **more) -> tuple[Faulty, ComfyUI]:
        server = Faulty(*faults, **more)
        servers.append(server)
        return server, ComfyUI(PLAN, ComfyServer(server.url), timeout=5)

    yield start
    for server in servers:
        server.httpd.shutdown()
        server.httpd.server_close()


def test_a_recipe_has_one_number_wherever_it_is_asked_for(faulty):
    server, painter = faulty()
    first = painter.render([recipe()])[0]
    again = ComfyUI(PLAN, ComfyServer(server.url)).render([recipe()])[0]
    assert np.array_equal(first, again)
    assert server.asked == [prompt_number(recipe(), 0)]
    painter.render([recipe(seed=8)])
    assert len(set(server.asked)) == 2


def test_a_lost_answer_is_not_asked_again(faulty):
    server, painter = faulty("lost answer")
    painter.render([recipe()])
    assert len(server.asked) == 1


def test_a_server_that_forgot_is_asked_again_under_the_same_number(faulty):
    server, painter = faulty("forgotten")
    painter.render([recipe()])
    assert server.asked == [prompt_number(recipe(), 0)] * 2


def test_a_server_that_forgets_for_ever_is_given_up(faulty):
    server, painter = faulty(*["forgotten"] * 20)
    with pytest.raises(EngineFailed, match="forgot it again and again"):
        painter.render([recipe()])
    assert len(server.asked) == 6


def test_a_lack_of_memory_is_tried_again_with_models_unloaded(faulty):
    server, painter = faulty("torch.OutOfMemoryError")
    painter.render([recipe()])
    assert server.asked == [prompt_number(recipe(), 0), prompt_number(recipe(), 1)]
    assert server.freed == 1
    server, painter = faulty(*["torch.OutOfMemoryError"] * 9)
    with pytest.raises(EngineFailed, match="OutOfMemoryError: no more; a smaller picture"):
        painter.render([recipe()])
    assert len(server.asked) == 3


def test_a_failure_is_told_and_the_next_run_tries_again(faulty):
    server, painter = faulty("ValueError")
    with pytest.raises(EngineFailed, match=r"node 3 \(KSampler\) failed: ValueError: no more"):
        painter.render([recipe()])
    painter.render([recipe()])
    assert server.asked == [prompt_number(recipe(), 0), prompt_number(recipe(), 1)]


def test_an_interruption_is_told(faulty):
    _, painter = faulty("interrupt")
    with pytest.raises(EngineFailed, match="interrupted"):
        painter.render([recipe()])


def test_what_the_server_finds_wrong_is_told_in_its_words(faulty):
    _, painter = faulty("bad")
    with pytest.raises(EngineLacks, match="Prompt outputs failed validation"):
        painter.render([recipe()])


def test_another_workflow_under_a_number_is_no_picture_of_ours(faulty):
    _, painter = faulty("other")
    with pytest.raises(WrongPicture, match="another workflow"):
        painter.render([recipe()])


def test_a_picture_that_was_cleaned_away_is_painted_again(faulty):
    server, painter = faulty()
    server.cleaned = 1
    painter.render([recipe()])
    assert server.asked == [prompt_number(recipe(), 0), prompt_number(recipe(), 1)]
    server.cleaned = 9
    with pytest.raises(EngineFailed, match="isn't where the server says"):
        painter.render([recipe(seed=8)])


def test_a_flat_picture_is_no_picture(faulty):
    _, painter = faulty(picture=png(flat=True))
    with pytest.raises(BrokenPicture, match="one flat colour"):
        painter.render([recipe()])
    told = {}
    painter.render([recipe()], broken=told.__setitem__)
    assert list(told) == [0]


def test_a_server_that_is_away_is_told_and_asks_for_nothing(tmp_path):
    painter = ComfyUI(PLAN, ComfyServer("http://127.0.0.1:9"))
    assert painter.digest == PLAN.digest
    with pytest.raises(EngineAway, match="127.0.0.1:9") as refused:
        painter.check([recipe()])
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    "data, reason",
    [
        (png((64, 72)), "64x72 in place of 64x64"),
        (png((128, 128)), "hires.scale"),
        (png(mode="RGBA"), "."),
        (b"\xff\xd8\xff", "."),
        (png(prompt="{}"), "another one than was sent"),
        (png(prompt="{"), "another one than was sent"),
        (png() + b"<script>", "."),
    ],
)
def test_what_comes_back_is_held_against_what_was_asked(data, reason):
    with pytest.raises(WrongPicture, match=reason):
        checked_picture(data, recipe(), filled(PLAN, recipe(), "x"))


def test_its_own_words_are_read_and_go_no_further():
    graph = filled(PLAN, recipe(), "x")
    image = checked_picture(png(prompt=json.dumps(graph), workflow='{"nodes": []}'), recipe(), graph)
    assert image.mode == "RGB"
    assert not image.info
    other = filled(PLAN, recipe(seed=8), "x")
    with pytest.raises(WrongPicture):
        checked_picture(png(prompt=json.dumps(other)), recipe(), graph)


INFOS = {one["class_type"]: {"input": {}} for one in SIMPLE.values()}


def test_missing_nodes_and_models_are_named_with_what_is_near():
    kinds = {name: info for name, info in INFOS.items() if name != "VAEDecode"}
    kinds["KSampler"] = {"input": {"required": {"sampler_name": [["ddim", "euler"]]}}}
    kinds["CheckpointLoaderSimple"] = {
        "input": {"required": {"ckpt_name": ["COMBO", {"options": ["riso-v2.safetensors"]}]}}
    }
    lacks = lacking_parts(filled(PLAN, recipe(scheduler="DDIM"), ""), kinds)
    assert sorted(lacks) == [
        "ckpt_name 'riso.safetensors' of CheckpointLoaderSimple isn't there (node '4'); near it: riso-v2.safetensors",
        "it has no node VAEDecode (node '8')",
        "sampler_name 'DDIM' of KSampler isn't there (node '3'); near it: ddim",
    ]
    assert lacking_parts(filled(PLAN, recipe(), ""), INFOS) == []


def test_fields_that_the_workflow_does_not_read_are_refused_by_name(faulty):
    server, painter = faulty()
    with pytest.raises(UnreadFields) as refused:
        painter.check([recipe(clip_skip=2, profile="fast", init="1" * 64, strength=0.5)], lambda digest: b"")
    assert refused.value.fields == ["clip_skip", "init", "profile", "strength"]
    with pytest.raises(EngineLacks, match="hires"):
        enlarged = planned_with(("hires.scale", ()))
        ComfyUI(enlarged, ComfyServer(server.url)).check([recipe(base=enlarged.digest)])
    with pytest.raises(EngineLacks, match="names base 000000000000"):
        painter.check([recipe(base="0" * 64)])
    assert server.asked == []


def planned_with(*more: tuple[str, tuple[str, ...]]):
    "The simple plan with more in its table."
    inputs = PLAN.workflow.inputs | dict(more)
    return read_plan(PLAN.workflow.model_copy(update={"inputs": inputs}))


def test_the_environment_is_the_servers():
    system = {
        "comfyui_version": "0.3.75",
        "pytorch_version": "2.9.0+cpu",
        "python_version": "3.12.1 (main, x)",
    }
    assert server_facts({"system": system, "devices": [{"name": "cuda:0 H200", "type": "cuda"}]}, PLAN) == {
        "comfyui": "0.3.75",
        "torch": "2.9.0+cpu",
        "python": "3.12.1",
        "device": "cuda:0 H200",
        "models": "riso.safetensors",
    }

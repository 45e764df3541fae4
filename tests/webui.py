"""AUTOMATIC1111's API on the loopback address, for faults that a real server doesn't have at command: it can't be had from a registry. What it says of itself is what version 1.10
says; its pictures are noise. What a real program answers is in the long tests."""

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SHA = "3f1c" * 16
MODEL = {
    "title": "fox.safetensors [3f1c3f1c3f]",
    "model_name": "fox",
    "hash": "3f1c3f1c3f",
    "sha256": SHA,
    "filename": "/srv/models/fox.safetensors",
    "config": None,
}
PAGES = {
    "/sdapi/v1/sd-models": [MODEL],
    "/sdapi/v1/samplers": [
        {"name": "Euler", "aliases": ["k_euler"], "options": {}},
        {"name": "DDIM", "aliases": ["ddim"], "options": {}},
    ],
    "/sdapi/v1/schedulers": [
        {"name": "automatic", "label": "Automatic"},
        {"name": "uniform", "label": "Uniform"},
        {"name": "karras", "label": "Karras"},
    ],
    "/sdapi/v1/loras": [],
    "/sdapi/v1/upscalers": [{"name": "None"}, {"name": "Lanczos"}],
    "/sdapi/v1/options": {
        "samples_format": "png",
        "sd_model_checkpoint": MODEL["title"],
        "randn_source": "GPU",
        "CLIP_stop_at_last_layers": 2,
        "eta_noise_seed_delta": 31337,
    },
    "/sdapi/v1/memory": {"ram": {}, "cuda": {"system": {"total": 1}}},
    "/internal/sysinfo": {"Version": "v1.10.1"},
}


class WebUI(ThreadingHTTPServer):
    "A server with a memory: its pages, what it was asked, and the faults to come, one a picture."

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.pages = json.loads(json.dumps(PAGES))
        self.asked = []
        self.faults = []
        self.login = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


def painted(body: dict, **lies) -> dict:
    "The answer to a picture's request; `lies`: what it says otherwise."
    said = {"prompt": body["prompt"], "seed": body["seed"], "steps": body["steps"], "rng": "CPU"} | lies
    size = lies.get("size") or (
        body.get("hr_resize_x") or body["width"],
        body.get("hr_resize_y") or body["height"],
    )
    pixels = np.random.default_rng(body["seed"]).integers(0, 256, (size[1], size[0], 3), np.uint8)
    if lies.get("flat"):
        pixels[:] = 0
    text = f"{said['prompt']}\nSteps: {said['steps']}, Sampler: {body['sampler_name']}, Schedule type: Uniform, CFG scale: {body['cfg_scale']}, Seed: {said['seed']}, "
    text += f"Size: {body['width']}x{body['height']}, Model hash: {lies.get('model', SHA)[:10]}, Model: fox, "
    text += f"RNG: {said['rng']}, " if said["rng"] else ""
    text += f'Lora hashes: "{lies["loras"]}", ' if "loras" in lies else ""
    text += "Version: v1.10.1"
    chunks, out = PngInfo(), BytesIO()
    chunks.add_text("parameters", text)
    Image.fromarray(pixels).save(
        out, lies.get("format", "PNG"), **({} if "format" in lies else {"pnginfo": chunks})
    )
    info = {key: said[key] for key in ("prompt", "seed", "steps")} | {
        "infotexts": [text],
        "sampler_name": body["sampler_name"],
    }
    return {
        "images": [base64.b64encode(out.getvalue()).decode()] * lies.get("count", 1),
        "parameters": body,
        "info": json.dumps(info),
    }


def small_lora() -> bytes:
    "An adapter of one layer."
    import torch

    from artmint.make.adapters import pack_tensors

    layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    ones = {"lora_A": torch.ones(2, 8), "lora_B": torch.ones(8, 2)}
    return pack_tensors({f"{layer}.{side}.weight": tensor for side, tensor in ones.items()}, {})


class Page(BaseHTTPRequestHandler):
    "One request."

    server: WebUI

    def log_message(self, *words):
        pass

    def say(self, status: int, answer) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def allowed(self) -> bool:
        wanted = f"Basic {base64.b64encode(self.server.login.encode()).decode()}"
        return not self.server.login or self.headers.get("Authorization") == wanted

    def do_GET(self):
        if not self.allowed():
            return self.say(401, {"detail": "Incorrect username or password"})
        page = self.server.pages.get(self.path)
        status, answer = (404, {"detail": "Not Found"}) if page is None else (200, page)
        self.say(status, answer)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.allowed():
            return self.say(401, {"detail": "Incorrect username or password"})
        self.server.asked.append((self.path, body))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "break":
            return self.connection.close()
        if isinstance(fault, tuple):
            return self.say(*fault)
        self.say(200, painted(body, **(fault or {})))


@contextmanager
def webui():
    "A running server."
    server = WebUI()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()

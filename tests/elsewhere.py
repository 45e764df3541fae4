"""Pictures as other programs write them: each layout built by its program's documentation or source, and what is to be
read of it. Nothing is taken from anywhere: every file is made here."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from PIL import Image

BIG = 2**64 - 25  # a seed of ComfyUI's


def pixels(seed: int = 1, mode: str = "RGB", size: tuple[int, int] = (64, 64)) -> Image.Image:
    "Noise, another for each seed, opaque."
    values = np.random.default_rng(seed).integers(0, 255, (size[1] // 8, size[0] // 8, 4), np.uint8)
    values[..., 3] = 255
    return Image.fromarray(values.repeat(8, 0).repeat(8, 1), "RGBA").convert(mode)


def chunk(kind: bytes, body: bytes) -> bytes:
    "A chunk of a PNG."
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def text_chunk(key: str, text: str, kind: bytes = b"tEXt") -> bytes:
    "A text chunk of each kind; `iTXz` is iTXt, packed."
    head = key.encode() + b"\0"
    if kind == b"tEXt":
        return chunk(kind, head + text.encode("latin-1"))
    if kind == b"zTXt":
        return chunk(kind, head + b"\0" + zlib.compress(text.encode("latin-1")))
    packed = kind == b"iTXz"
    body = zlib.compress(text.encode()) if packed else text.encode()
    return chunk(b"iTXt", head + bytes([packed]) + b"\0\0\0" + body)


def png(*chunks: bytes, image: Image.Image | None = None, seed: int = 1) -> bytes:
    "A PNG with chunks behind its header."
    out = BytesIO()
    (image or pixels(seed)).save(out, "PNG")
    data = out.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


def texts(seed: int = 1, kind: bytes = b"iTXt", image: Image.Image | None = None, **said: str) -> bytes:
    "A PNG with texts; an underscore pair in a name stands for a hyphen."
    rows = [text_chunk(key.replace("__", "-"), text, kind) for key, text in said.items()]
    return png(*rows, image=image, seed=seed)


def exif(**tags: bytes | str) -> bytes:
    "A TIFF block: UserComment and MakerNote in the EXIF directory, the others in the first."
    numbers = {"ImageDescription": 0x10E, "Make": 0x10F, "Model": 0x110, "Software": 0x131}
    block = Image.Exif()
    for name, value in tags.items():
        if name in numbers:
            block[numbers[name]] = value
    inner = {"UserComment": 0x9286, "MakerNote": 0x927C}
    for name, value in tags.items():
        if name in inner:
            block.get_ifd(0x8769)[inner[name]] = value
    return block.tobytes()


def saved(form: str, seed: int = 1, mode: str = "RGB", **more) -> bytes:
    "A picture in another format."
    out = BytesIO()
    pixels(seed, mode).save(out, form, **more)
    return out.getvalue()


def comment(text: str, order: str = "utf-16-be", mark: bytes = b"") -> bytes:
    "A UserComment in UTF-16."
    return b"UNICODE\0" + mark + text.encode(order)


def xmp(**fields: str) -> bytes:
    "An XMP packet as Draw Things writes it."
    from xml.sax.saxutils import escape

    rows = "".join(
        f'<{name.replace("_", ":")}><rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt></{name.replace("_", ":")}>'
        for name, text in fields.items()
    )
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        f'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmp:CreatorTool="Draw Things">{rows}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def hidden(text: str, packed: bool = True, seed: int = 1, size: tuple[int, int] = (128, 128)) -> bytes:
    "A text in the lowest bits of alpha, column by column."
    body = gzip.compress(text.encode(), mtime=0) if packed else text.encode()
    head = b"stealth_pngcomp" if packed else b"stealth_pnginfo"
    bits = np.unpackbits(np.frombuffer(head + struct.pack(">I", len(body) * 8) + body, np.uint8))
    alpha = np.full(size[0] * size[1], 254, np.uint8)
    alpha[: len(bits)] |= bits
    image = pixels(seed, "RGBA", size)
    image.putalpha(Image.fromarray(alpha.reshape(size).T.copy()))
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


PROMPT = "rings in ocean colours"
PAIRS = "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 7, Size: 64x64, Model hash: 6ce0161689, Model: v1-5"


def infotext(prompt: str = PROMPT, negative: str = "blurry", pairs: str = PAIRS) -> str:
    "A1111's text."
    return f"{prompt}\n" + (f"Negative prompt: {negative}\n" if negative else "") + pairs


def node(kind: str, **inputs) -> dict:
    "A node of ComfyUI's graph."
    return {"class_type": kind, "inputs": inputs}


def comfy(seed=BIG, prompt=PROMPT, **more) -> dict:
    "The graph that ComfyUI begins with."
    sampler = dict(seed=seed, steps=20, cfg=7.0, sampler_name="euler", scheduler="karras", denoise=1.0)
    sampler |= dict(model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0])
    graph = {
        "3": node("KSampler", **sampler),
        "4": node("CheckpointLoaderSimple", ckpt_name="sub\\ink.safetensors"),
        "5": node("EmptyLatentImage", width=64, height=96, batch_size=1),
        "6": node("CLIPTextEncode", text=prompt, clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
    }
    return graph | more


def _hires() -> dict:
    "A second sampler over the enlarged first picture."
    second = dict(seed=9, steps=10, cfg=5.0, sampler_name="dpmpp_2m", scheduler="normal", denoise=0.5)
    second |= dict(model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["10", 0])
    graph = comfy(seed=11)
    graph["10"] = node(
        "LatentUpscale", samples=["3", 0], width=128, height=192, upscale_method="nearest-exact"
    )
    graph["11"] = node("KSampler", **second)
    graph["8"]["inputs"]["samples"] = ["11", 0]
    return graph


def _flux() -> dict:
    "Flux: noise, guider, sampler and sigmas are nodes of their own, the model is a UNET."
    return {
        "13": node(
            "SamplerCustomAdvanced",
            noise=["25", 0],
            guider=["22", 0],
            sampler=["16", 0],
            sigmas=["17", 0],
            latent_image=["27", 0],
        ),
        "25": node("RandomNoise", noise_seed=5),
        "22": node("BasicGuider", model=["12", 0], conditioning=["26", 0]),
        "26": node("FluxGuidance", guidance=3.5, conditioning=["6", 0]),
        "6": node("CLIPTextEncode", text=PROMPT, clip=["11", 0]),
        "16": node("KSamplerSelect", sampler_name="euler"),
        "17": node("BasicScheduler", scheduler="simple", steps=4, denoise=1.0, model=["12", 0]),
        "12": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
        "11": node(
            "DualCLIPLoader", clip_name1="t5xxl.safetensors", clip_name2="clip_l.safetensors", type="flux"
        ),
        "27": node("EmptySD3LatentImage", width=64, height=64, batch_size=1),
        "8": node("VAEDecode", samples=["13", 0], vae=["10", 0]),
        "10": node("VAELoader", vae_name="ae.safetensors"),
        "9": node("SaveImage", images=["8", 0]),
    }


def _loras() -> dict:
    "Two loaders in a row, and rgthree's stack."
    graph = comfy(seed=3)
    graph["20"] = node(
        "LoraLoader",
        lora_name="gold.safetensors",
        strength_model=0.6,
        strength_clip=1,
        model=["4", 0],
        clip=["4", 1],
    )
    stack = {
        "lora_1": {"on": True, "lora": "ink.safetensors", "strength": 0.8},
        "lora_2": {"on": False, "lora": "off.safetensors", "strength": 1},
    }
    graph["21"] = node("Power Lora Loader (rgthree)", **stack, model=["20", 0], clip=["20", 1])
    graph["3"]["inputs"]["model"] = ["21", 0]
    return graph


def _linked() -> dict:
    "Seed and text that come from nodes of their own, through SDXL's encoder, past a circle."
    graph = comfy(seed=["30", 0])
    graph["30"] = node("PrimitiveInt", value=77)
    graph["31"] = node("Text Multiline", text=PROMPT)
    graph["6"] = node("CLIPTextEncodeSDXL", text_g=["31", 0], text_l=["31", 0], clip=["4", 1])
    graph["40"] = node("Reroute", value=["41", 0])
    graph["41"] = node("Reroute", value=["40", 0])
    return graph


def canvas() -> dict:
    "ComfyUI's canvas, values without names."

    def one(number, kind, widgets, **links):
        return {
            "id": number,
            "type": kind,
            "mode": 0,
            "widgets_values": widgets,
            "inputs": [{"name": name, "link": link} for name, link in links.items()],
        }

    nodes = [
        one(
            3,
            "KSampler",
            [12, "randomize", 20, 7, "euler", "normal", 1],
            model=1,
            positive=2,
            negative=3,
            latent_image=4,
        ),
        one(4, "CheckpointLoaderSimple", ["ink.safetensors"]),
        one(5, "EmptyLatentImage", [64, 64, 1]),
        one(6, "CLIPTextEncode", [PROMPT]),
        one(7, "CLIPTextEncode", ["blurry"]),
        one(8, "VAEDecode", [], samples=5),
        one(9, "SaveImage", ["ComfyUI"], images=6),
    ]
    ends = [(4, 3, 0), (6, 3, 1), (7, 3, 2), (5, 3, 3), (3, 8, 0), (8, 9, 0)]
    links = [[number, begin, 0, end, port, "*"] for number, (begin, end, port) in enumerate(ends, 1)]
    return {"last_node_id": 9, "nodes": nodes, "links": links}


INVOKE = {
    "app_version": "5.6.0",
    "generation_mode": "txt2img",
    "positive_prompt": PROMPT,
    "negative_prompt": "blurry",
    "width": 64,
    "height": 64,
    "seed": 4294967295,
    "cfg_scale": 7.5,
    "steps": 30,
    "scheduler": "euler",
    "model": {"key": "k", "hash": "blake3:0123456789abcdef", "name": "ink", "base": "sd-1", "type": "main"},
    "loras": [
        {
            "model": {
                "key": "l",
                "hash": "blake3:ffff00001111",
                "name": "gold",
                "base": "sd-1",
                "type": "lora",
            },
            "weight": 0.75,
        }
    ],
}
INVOKE_3_0 = INVOKE | {
    "model": {"model_name": "ink", "base_model": "sd-1", "model_type": "main"},
    "loras": [{"lora": {"model_name": "gold", "base_model": "sd-1"}, "weight": 0.5}],
}
INVOKE_2 = {
    "model": "stable diffusion",
    "model_weights": "stable-diffusion-1.5",
    "model_hash": "cc6cb27103417325ff94f52b7a5d2dde45a7515b25c255d8e396c90014281516",
    "app_id": "invoke-ai/InvokeAI",
    "app_version": "2.3.5",
    "image": {"prompt": [{"prompt": f"{PROMPT} [blurry]", "weight": 1}], "steps": 50, "cfg_scale": 7.5, "threshold": 0, "perlin": 0,
              "height": 64, "width": 64, "seed": 1950357039, "type": "txt2img", "postprocessing": None, "sampler": "k_lms", "variations": []},
}  # fmt: skip
NOVEL = {
    "steps": 28,
    "sampler": "k_euler",
    "seed": 3333333333,
    "strength": 0.69,
    "noise": 0.667,
    "scale": 11.0,
    "uc": "blurry",
}
NOVEL_4 = NOVEL | {
    "prompt": PROMPT,
    "noise_schedule": "karras",
    "v4_prompt": {
        "caption": {"base_caption": PROMPT, "char_captions": [{"char_caption": "girl", "centers": []}]}
    },
    "v4_negative_prompt": {"caption": {"base_caption": "blurry", "char_captions": []}},
}
FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "juggernautXL.safetensors",
    "base_model_hash": "c9e3e68f89",
    "full_negative_prompt": ["blurry"],
    "full_prompt": [PROMPT, "cinematic"],
    "guidance_scale": 4.0,
    "loras": [["offset.safetensors", 0.1, "4852686128"]],
    "metadata_scheme": "fooocus",
    "negative_prompt": "blurry",
    "performance": "Speed",
    "prompt": PROMPT,
    "resolution": "(64, 64)",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": "8166837325426425093",
    "sharpness": 2.0,
    "steps": 30,
    "styles": "['Fooocus V2']",
    "version": "Fooocus v2.5.0",
}
SWARM = {
    "sui_image_params": {
        "prompt": PROMPT,
        "negativeprompt": "blurry",
        "model": "OfficialStableDiffusion/sd_xl_base_1.0",
        "seed": 1432410225,
        "steps": 20,
        "cfgscale": 7.0,
        "aspectratio": "1:1",
        "width": 64,
        "height": 64,
        "sampler": "dpmpp_2m",
        "scheduler": "karras",
        "loras": ["styles/gold"],
        "loraweights": ["0.7"],
        "swarm_version": "0.9.3.1",
    },
    "sui_extra_data": {"date": "2024-09-01"},
    "sui_models": [{"name": "OfficialStableDiffusion/sd_xl_base_1.0.safetensors", "param": "model", "hash": "0xd7a9105a900fd52748f20725fe52fe52b507fd36bee4fc107b1550a26e6ee1d7"},
                   {"name": "styles/gold.safetensors", "param": "loras", "hash": "0xaaaabbbbcccc"}],
}  # fmt: skip
EASY = {
    "prompt": PROMPT,
    "seed": 1234567,
    "used_random_seed": True,
    "negative_prompt": "blurry",
    "num_outputs": 1,
    "num_inference_steps": 25,
    "guidance_scale": 7.5,
    "width": 64,
    "height": 64,
    "use_stable_diffusion_model": "sd-v1-4",
    "sampler_name": "euler_a",
    "use_lora_model": ["gold"],
    "lora_alpha": [0.5],
}
EASY_TEXTS = {
    key: json.dumps(value) if isinstance(value, list) else str(value) for key, value in EASY.items()
}
EASY_PAGE = {
    "Prompt": PROMPT,
    "Seed": "1234567",
    "Negative Prompt": "blurry",
    "Stable Diffusion model": "sd-v1-4",
    "Sampler": "euler_a",
    "Steps": "25",
    "Guidance Scale": "7.5",
    "Width": "64",
    "Height": "64",
}
DRAW = {
    "c": PROMPT,
    "uc": "blurry",
    "seed": 2891632470,
    "steps": 20,
    "scale": 7.5,
    "sampler": "DPM++ 2M Karras",
    "size": "64x64",
    "model": "sd_xl_base_1.0_f16.ckpt",
    "strength": 1.0,
    "seed_mode": "Scale Alike",
    "lora": [{"model": "gold_f16.ckpt", "weight": 0.6}],
    "v2": {"clipSkip": 1},
}
CIVITAI = {
    "id": 1,
    "meta": {"prompt": f"{PROMPT} <lora:gold:0.8>", "negativePrompt": "blurry", "cfgScale": 7, "steps": 30, "sampler": "Euler a", "seed": 42,
             "Size": "64x64", "Model": "ink", "Model hash": "6CE0161689", "clipSkip": 2,
             "resources": [{"name": "gold", "type": "lora", "weight": 0.8, "hash": "AABBCCDDEEFF"}, {"name": "ink", "type": "model", "hash": "6CE0161689"}]},
}  # fmt: skip
GENERATED = (
    f"{PROMPT}\nNegative prompt: blurry\nSteps: 30, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 99, Size: 64x64, Clip skip: 2, Created Date: 2024-10-01T00:00:00Z, "
    'Civitai resources: [{"type":"checkpoint","modelVersionId":1,"modelName":"Ink XL","modelVersionName":"v1"},'
    '{"type":"lora","weight":0.65,"modelVersionId":2,"modelName":"Gold, and more","modelVersionName":"v2"}], Civitai metadata: {}'
)


@dataclass
class Case:
    "A file, and what is to be read of it."

    name: str
    data: Callable[[], bytes]
    tool: str = ""  # empty: nothing is said of its making
    said: dict = field(default_factory=dict)
    refused: str = ""  # a part of the reason; empty: it is taken
    note: str = ""  # a part of a note; empty: any
    beside: dict[str, bytes] = field(default_factory=dict)  # sidecars by their endings


PLAIN = {
    "prompt": PROMPT,
    "negative_prompt": "blurry",
    "seed": 7,
    "sampler": "Euler",
    "steps": 20,
    "guidance": 7.0,
    "width": 64,
    "model": "v1-5",
    "model_hash": "6ce0161689",
}
UMLAUT = "Ringe über Köln"
STEPS_IN_IT = "a staircase\nSteps: 20 of them, Sampler: none\nwith rings"
ADETAILER = (
    PAIRS
    + ', ADetailer model: face_yolov8n.pt, ADetailer prompt: "a face, calm: yes\\nBREAK", ADetailer confidence: 0.3, Version: v1.9.4'
)
HIRES = (
    PAIRS
    + ", Denoising strength: 0.5, Hires upscale: 2, Hires steps: 10, Hires upscaler: 4x-UltraSharp, Version: f2.0.1v1.10.1-previous-635-gf5330788"
)
SUBSEED = PAIRS + ", Variation seed: 12, Variation seed strength: 0.3, Version: v1.6.0"
HASHES = (
    PAIRS
    + ', Lora hashes: "gold: aabbccddeeff, ink: 001122334455", TI hashes: "easy: 0011aabb", Version: v1.9.4'
)
TWO_LORAS = f"{PROMPT} <lora:gold:0.8> <lora:ink:-0.25>"

COMFY_SAID = {
    "prompt": PROMPT,
    "negative_prompt": "blurry",
    "seed": BIG,
    "sampler": "euler",
    "schedule": "karras",
    "model": "ink",
}
COMFY_SAID |= {"steps": 20, "guidance": 7.0, "width": 64, "height": 96}
INVOKE_SAID = {
    "prompt": PROMPT,
    "negative_prompt": "blurry",
    "seed": 2**32 - 1,
    "sampler": "euler",
    "guidance": 7.5,
    "model": "ink",
}
INVOKE_SAID |= {"model_hash": "0123456789abcdef", "loras": [("gold", 0.75, "ffff00001111")]}
CASES = [
    Case("a1111", lambda: texts(parameters=infotext(), kind=b"tEXt"), "A1111 or a relative", PLAIN),
    Case("a1111_itxt", lambda: texts(parameters=infotext(prompt="波 🌊 " + PROMPT)), "A1111 or a relative", PLAIN | {"prompt": "波 🌊 " + PROMPT}),
    Case("a1111_ztxt", lambda: texts(parameters=infotext(), kind=b"zTXt"), "A1111 or a relative", PLAIN),
    Case("a1111_itxt_packed", lambda: texts(parameters=infotext(), kind=b"iTXz"), "A1111 or a relative", PLAIN),
    Case("utf8_in_latin", lambda: png(chunk(b"tEXt", b"parameters\0" + infotext(UMLAUT).encode())), "A1111 or a relative", {"prompt": UMLAUT}),
    Case("latin", lambda: texts(parameters=infotext(UMLAUT), kind=b"tEXt"), "A1111 or a relative", {"prompt": UMLAUT}),
    Case("no_negative", lambda: texts(parameters=infotext(negative="")), "A1111 or a relative", PLAIN | {"negative_prompt": ""}),
    Case("no_prompt", lambda: texts(parameters=PAIRS), "A1111 or a relative", {"prompt": "", "seed": 7}),
    Case("steps_in_prompt", lambda: texts(parameters=infotext(STEPS_IN_IT)), "A1111 or a relative", {"prompt": STEPS_IN_IT, "seed": 7}),
    Case("several_lines", lambda: texts(parameters=infotext("rings\n\nBREAK\nwaves", "a\nb")), "A1111 or a relative", {"prompt": "rings\n\nBREAK\nwaves", "negative_prompt": "a\nb"}),
    Case("windows_lines", lambda: texts(parameters=infotext().replace("\n", "\r\n")), "A1111 or a relative", PLAIN),
    Case("adetailer", lambda: texts(parameters=infotext(pairs=ADETAILER)), "A1111", PLAIN | {"further": {"ADetailer prompt": "a face, calm: yes\nBREAK"}}),
    Case("hires", lambda: texts(parameters=infotext(pairs=HIRES)), "Forge", PLAIN | {"further": {"Hires upscale": "2"}}),
    Case("subseed", lambda: texts(parameters=infotext(pairs=SUBSEED)), "A1111", PLAIN | {"further": {"Variation seed": "12"}}),
    Case("loras", lambda: texts(parameters=infotext(TWO_LORAS, pairs=HASHES)), "A1111", PLAIN | {"loras": [("gold", 0.8, "aabbccddeeff"), ("ink", -0.25, "001122334455")]}),
    Case("templates", lambda: texts(parameters=infotext() + "\nTemplate: {rings|waves} in ocean colours\nNegative Template: blurry"), "A1111 or a relative", PLAIN | {"further": {"Template": "{rings|waves} in ocean colours"}}),
    Case("model_with_commas", lambda: texts(parameters=infotext(pairs=PAIRS.replace("v1-5", "ink, v2"))), "A1111 or a relative", {"model": "ink, v2"}),
    Case("model_in_quotes", lambda: texts(parameters=infotext(pairs=PAIRS.replace("v1-5", '"ink, CFG scale: 12, x"'))), "A1111 or a relative", {"model": "ink, CFG scale: 12, x", "guidance": 7.0}),
    Case("seed_2_32", lambda: texts(parameters=infotext(pairs=PAIRS.replace("Seed: 7", "Seed: 4294967296"))), "A1111 or a relative", {"seed": 2**32}),
    Case("seed_negative", lambda: texts(parameters=infotext(pairs=PAIRS.replace("Seed: 7", "Seed: -1"))), "A1111 or a relative", {"seed": -1}),
    Case("seed_no_number", lambda: texts(parameters=infotext(pairs=PAIRS.replace("Seed: 7", "Seed: seven"))), "A1111 or a relative", {"seed": None}),
    Case("seed_of_5000_digits", lambda: texts(parameters=infotext(pairs=PAIRS.replace("Seed: 7", "Seed: " + "9" * 5000))), "A1111 or a relative", {"seed": None}),
    Case("sdnext", lambda: texts(parameters=infotext(pairs=PAIRS + ", App: SD.Next, Version: 0f8b1ae, Pipeline: StableDiffusionPipeline, Operations: txt2img")), "SD.Next", PLAIN),
    Case("forge_schedule", lambda: texts(parameters=infotext(pairs=PAIRS.replace("Euler", "Euler, Schedule type: Simple, Distilled CFG Scale: 3.5") + ", Version: f2.0.1v1.10.1")), "Forge", PLAIN | {"schedule": "Simple"}),
    Case("embeddings", lambda: texts(parameters=infotext(negative="easynegative, bad-hands-5", pairs=HASHES)), "A1111", {"negative_prompt": "easynegative, bad-hands-5"}),
    Case("artmint", lambda: texts(parameters=infotext(pairs=PAIRS + ", RNG: CPU, Version: artmint")), "artmint", PLAIN),
    Case("jpeg_be", lambda: saved("JPEG", exif=exif(UserComment=comment(infotext()))), "A1111 or a relative", PLAIN),
    Case("jpeg_le", lambda: saved("JPEG", exif=exif(UserComment=comment(infotext("波 " + PROMPT), "utf-16-le"))), "A1111 or a relative", {"prompt": "波 " + PROMPT}),
    Case("jpeg_wrong_mark", lambda: saved("JPEG", exif=exif(UserComment=comment(infotext(), "utf-16-be", b"\xff\xfe"))), "A1111 or a relative", {"seed": 7, "steps": 20}),
    Case("jpeg_right_mark", lambda: saved("JPEG", exif=exif(UserComment=comment(infotext(), "utf-16-le", b"\xff\xfe"))), "A1111 or a relative", PLAIN),
    Case("jpeg_ascii", lambda: saved("JPEG", exif=exif(UserComment=b"ASCII\0\0\0" + infotext().encode())), "A1111 or a relative", PLAIN),
    Case("jpeg_undefined", lambda: saved("JPEG", exif=exif(UserComment=bytes(8) + infotext("🌊").encode())), "A1111 or a relative", {"prompt": "🌊"}),
    Case("jpeg_no_code", lambda: saved("JPEG", exif=exif(UserComment=infotext().encode())), "A1111 or a relative", PLAIN),
    Case("webp", lambda: saved("WEBP", lossless=True, exif=exif(UserComment=comment(infotext()))), "A1111 or a relative", PLAIN),
    Case("avif", lambda: saved("AVIF", exif=exif(UserComment=comment(infotext()))), "A1111 or a relative", PLAIN),
    Case("png_exif", lambda: png(chunk(b"eXIf", exif(UserComment=comment(infotext())).removeprefix(b"Exif\0\0"))), "A1111 or a relative", PLAIN),
    Case("civitai", lambda: saved("JPEG", exif=exif(UserComment=comment(GENERATED))), "civitai", {"seed": 99, "clip_skip": 2, "model": "Ink XL", "loras": [("Gold, and more", 0.65, "")]}),
    Case("comfy", lambda: texts(prompt=json.dumps(comfy()), workflow=json.dumps(canvas())), "ComfyUI", COMFY_SAID),
    Case("comfy_nan", lambda: texts(prompt=json.dumps(comfy(seed=8) | {"50": {"class_type": "X", "inputs": {}, "is_changed": [float("nan")]}})), "ComfyUI", {"seed": 8}),
    Case("comfy_hires", lambda: texts(prompt=json.dumps(_hires())), "ComfyUI", {"seed": 11, "steps": 20, "width": 64}, note="2 samplers"),
    Case("comfy_flux", lambda: texts(prompt=json.dumps(_flux())), "ComfyUI", {"prompt": PROMPT, "seed": 5, "steps": 4, "sampler": "euler", "schedule": "simple", "guidance": 3.5, "model": "flux1-dev"}),
    Case("comfy_loras", lambda: texts(prompt=json.dumps(_loras())), "ComfyUI", {"loras": [("gold", 0.6, ""), ("ink", 0.8, "")]}),
    Case("comfy_linked", lambda: texts(prompt=json.dumps(_linked())), "ComfyUI", {"seed": 77, "prompt": PROMPT}),
    Case("comfy_canvas", lambda: texts(workflow=json.dumps(canvas())), "ComfyUI", {"seed": 12, "prompt": PROMPT, "negative_prompt": "blurry", "model": "ink"}, note="canvas"),
    Case("comfy_webp", lambda: saved("WEBP", lossless=True, exif=exif(Model="prompt:" + json.dumps(comfy(seed=4)), Make="workflow:" + json.dumps(canvas()))), "ComfyUI", {"seed": 4, "prompt": PROMPT}),
    Case("comfy_comment", lambda: saved("JPEG", exif=exif(UserComment=comment(json.dumps({"prompt": comfy(seed=6), "workflow": canvas()})))), "ComfyUI", {"seed": 6}),
    Case("comfy_with_infotext", lambda: texts(parameters=infotext(pairs=PAIRS + ", Version: ComfyUI"), prompt=json.dumps(comfy(seed=7))), "ComfyUI", PLAIN),
    Case("comfy_no_sampler", lambda: texts(prompt=json.dumps({"1": node("LoadImage", image="a.png"), "2": node("SaveImage", images=["1", 0])})), "ComfyUI", {"prompt": ""}, note="no sampler"),
    Case("comfy_circle", lambda: texts(prompt=json.dumps({"1": node("Reroute", a=["2", 0]), "2": node("Reroute", a=["1", 0])})), "ComfyUI", {"prompt": ""}),
    Case("invoke_5", lambda: texts(invokeai_metadata=json.dumps(INVOKE), invokeai_graph="{}"), "InvokeAI", INVOKE_SAID),
    Case("invoke_3", lambda: texts(invokeai_metadata=json.dumps(INVOKE_3_0)), "InvokeAI", {"model": "ink", "loras": [("gold", 0.5, "")]}),
    Case("invoke_2", lambda: texts(sd__metadata=json.dumps(INVOKE_2), Dream='"other" -s 3 -S 4'), "InvokeAI", {"prompt": PROMPT, "negative_prompt": "blurry", "seed": 1950357039, "sampler": "k_lms", "steps": 50}),
    Case("invoke_1", lambda: texts(Dream=f'"{PROMPT} [blurry]" -s 50 -S 1950357039 -W 64 -H 64 -C 7.5 -A k_lms'), "InvokeAI", {"prompt": PROMPT, "negative_prompt": "blurry", "seed": 1950357039, "sampler": "k_lms", "guidance": 7.5}),
    Case("novelai", lambda: texts(Title="AI generated image", Description=PROMPT, Software="NovelAI", Source="Stable Diffusion 81274D13", Comment=json.dumps(NOVEL)), "NovelAI", {"prompt": PROMPT, "negative_prompt": "blurry", "seed": 3333333333, "sampler": "k_euler", "guidance": 11.0, "model": "Stable Diffusion", "model_hash": "81274d13"}),
    Case("novelai_4", lambda: texts(Title="NovelAI generated image", Description=PROMPT, Software="NovelAI", Source="NovelAI Diffusion V4 37442FCA", Comment=json.dumps(NOVEL_4)), "NovelAI", {"prompt": PROMPT + " | girl", "negative_prompt": "blurry", "schedule": "karras"}),
    Case("novelai_hidden", lambda: hidden(json.dumps({"Description": PROMPT, "Software": "NovelAI", "Source": "Stable Diffusion XL 7BCCAA2C", "Comment": json.dumps(NOVEL)})), "NovelAI", {"prompt": PROMPT, "seed": 3333333333}, note="lowest bits"),
    Case("a1111_hidden", lambda: hidden(infotext(), packed=False), "A1111 or a relative", PLAIN, note="lowest bits"),
    Case("fooocus", lambda: texts(parameters=json.dumps(FOOOCUS), fooocus_scheme="fooocus"), "Fooocus", {"prompt": PROMPT, "negative_prompt": "blurry", "seed": 8166837325426425093, "model": "juggernautXL", "model_hash": "c9e3e68f89", "width": 64, "loras": [("offset", 0.1, "4852686128")]}),
    Case("fooocus_a1111", lambda: texts(parameters=infotext(pairs=PAIRS + ", Version: Fooocus v2.5.0"), fooocus_scheme="a1111"), "Fooocus", PLAIN),
    Case("fooocus_jpeg", lambda: saved("JPEG", exif=exif(UserComment=json.dumps(FOOOCUS).encode(), MakerNote=b"fooocus", Software="Fooocus v2.5.0")), "Fooocus", {"prompt": PROMPT, "steps": 30}),
    Case("swarm", lambda: texts(parameters=json.dumps(SWARM, indent=2)), "SwarmUI", {"prompt": PROMPT, "negative_prompt": "blurry", "seed": 1432410225, "schedule": "karras", "model": "sd_xl_base_1.0", "loras": [("gold", 0.7, "aaaabbbbcccc")]}),
    Case("swarm_jpeg", lambda: saved("JPEG", exif=exif(UserComment=comment(json.dumps(SWARM)))), "SwarmUI", {"seed": 1432410225}),
    Case("easy", lambda: png(*(text_chunk(key, text) for key, text in EASY_TEXTS.items())), "Easy Diffusion", {"prompt": PROMPT, "negative_prompt": "blurry", "seed": 1234567, "sampler": "euler_a", "steps": 25, "model": "sd-v1-4"}),
    Case("easy_page", lambda: png(*(text_chunk(key, text) for key, text in EASY_PAGE.items())), "Easy Diffusion", {"prompt": PROMPT, "seed": 1234567, "steps": 25}),
    Case("easy_jpeg", lambda: saved("JPEG", exif=exif(UserComment=comment(json.dumps(EASY)))), "Easy Diffusion", {"seed": 1234567, "loras": [("gold", 0.5, "")]}),
    Case("draw_things", lambda: png(text_chunk("XML:com.adobe.xmp", xmp(exif_UserComment=json.dumps(DRAW), dc_description=PROMPT).decode(), b"iTXt")), "Draw Things", {"prompt": PROMPT, "negative_prompt": "blurry", "seed": 2891632470, "width": 64, "model": "sd_xl_base_1.0_f16", "loras": [("gold_f16", 0.6, "")]}),
    Case("midjourney", lambda: texts(Description=f"{PROMPT} --ar 1:1 --seed 5 Job ID: 01234567-89ab-cdef-0123-456789abcdef"), "Midjourney", {"seed": 5}),
    Case("sidecar_txt", lambda: png(seed=2), "A1111 or a relative", PLAIN, beside={".txt": infotext().encode()}),
    Case("sidecar_utf16", lambda: png(seed=3), "A1111 or a relative", PLAIN, beside={".txt": infotext().encode("utf-16")}),
    Case("sidecar_easy", lambda: png(seed=4), "Easy Diffusion", {"seed": 1234567}, beside={".txt": "\n".join(f"{key}: {text}" for key, text in EASY_PAGE.items()).encode()}),
    Case("sidecar_json", lambda: png(seed=5), "civitai", {"seed": 42, "prompt": PROMPT, "clip_skip": 2, "loras": [("gold", 0.8, "aabbccddeeff")]}, beside={".json": json.dumps(CIVITAI).encode()}),
    Case("sidecar_civitai", lambda: png(seed=6), "civitai", {"seed": 42, "model_hash": "6ce0161689"}, beside={".civitai.info": json.dumps(CIVITAI).encode()}),
    Case("sidecar_xmp", lambda: png(seed=7), "Draw Things", {"seed": 2891632470}, beside={".xmp": xmp(exif_UserComment=json.dumps(DRAW))}),
    Case("sidecar_name_in_name", lambda: png(seed=8), "A1111 or a relative", PLAIN, beside={".png.txt": infotext().encode()}),
    Case("caption", lambda: png(seed=9), "", note="nothing of its making", beside={".txt": b"rings in ocean colours"}),
    Case("nothing", lambda: png(seed=10), ""),
    Case("other_text", lambda: texts(Software="GIMP", Comment="Created with GIMP"), ""),
    Case("bomb", lambda: png(chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"0" * (64 << 20), 9))), refused="too large"),
    Case("bomb_itxt", lambda: png(chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(b"0" * (64 << 20), 9))), refused="too large"),
    Case("torn_ztxt", lambda: png(chunk(b"zTXt", b"parameters\0\0" + zlib.compress(infotext().encode())[:20])), "", note="torn"),
    Case("deep_json", lambda: texts(prompt="[" * 5000 + "]" * 5000, parameters='{"a":' * 2000 + "1" + "}" * 2000), ""),
    Case("many_texts", lambda: png(*(text_chunk(f"k{n}", "x") for n in range(99)), text_chunk("parameters", infotext())), "", note="at most 64"),
    Case("twice", lambda: png(text_chunk("parameters", infotext()), text_chunk("parameters", infotext("other"))), "A1111 or a relative", {"prompt": "other"}, note="the last counts"),
    Case("control_characters", lambda: texts(parameters=infotext("rings \u202eevil\u200b<b>")), "A1111 or a relative", {"prompt": "rings \u202eevil\u200b<b>"}),
    Case("broken_crc", lambda: png(text_chunk("parameters", infotext())[:-4] + b"\0\0\0\0"), refused="broken"),
    Case("torn", lambda: texts(parameters=infotext())[:-60], refused="torn or broken"),
    Case("animated_webp", lambda: saved("WEBP", save_all=True, append_images=[pixels(2)], duration=100), refused="2 frames"),
    Case("cmyk", lambda: saved("JPEG", mode="CMYK"), refused="CMYK"),
    Case("transparent", lambda: texts(parameters=infotext(), image=Image.new("RGBA", (64, 64), (9, 9, 9, 100))), refused="transparent"),
    Case("grey_16", lambda: png(text_chunk("parameters", infotext()), image=Image.fromarray((np.arange(4096, dtype=np.uint16) * 16).reshape(64, 64))), "A1111 or a relative", PLAIN, note="16 bits"),
    Case("heic", lambda: b"\0\0\0\x18ftypheic" + bytes(64), refused="HEIC"),
    Case("empty", lambda: b"", refused="empty"),
    Case("no_picture", lambda: b"<html>not a picture</html>", refused="none of PNG"),
    Case("trailing", lambda: texts(parameters=infotext()) + b"<script>", "A1111 or a relative", PLAIN),
]  # fmt: skip


def ending_of(case: Case) -> str:
    "The ending of a case's file."
    data = case.data()[:12]
    if data[:3] == b"\xff\xd8\xff":
        return ".jpg"
    if data[8:12] == b"WEBP":
        return ".webp"
    return ".avif" if data[4:12] == b"ftypavif" else ".heic" if case.name == "heic" else ".png"

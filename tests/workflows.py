"Graphs as studios have them in ComfyUI, in the API's format, and the tables that people would write."


def node(kind: str, **inputs) -> dict:
    "A node."
    return {"class_type": kind, "inputs": inputs}


def sampler(latent: list, **more) -> dict:
    "A KSampler."
    own = {"seed": 5, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": latent}
    return node("KSampler", **own | links | more)


LOADER = node("CheckpointLoaderSimple", ckpt_name="riso.safetensors")
LATENT = node("EmptyLatentImage", width=512, height=512, batch_size=1)
TAIL = {"8": node("VAEDecode", samples=["3", 0], vae=["4", 2])}
TAIL |= {"9": node("SaveImage", filename_prefix="hill", images=["8", 0])}
TEXTS = {"6": node("CLIPTextEncode", text="a hill", clip=["4", 1])}
TEXTS |= {"7": node("CLIPTextEncode", text="blur", clip=["4", 1])}
SIMPLE = {"3": sampler(["5", 0]), "4": LOADER, "5": LATENT, **TEXTS, **TAIL}
TABLE = {
    "prompt": ["6.text"],
    "negative_prompt": ["7.text"],
    "seed": ["3.seed"],
    "steps": ["3.steps"],
    "guidance": ["3.cfg"],
    "scheduler": ["3.sampler_name"],
    "schedule": ["3.scheduler"],
    "width": ["5.width"],
    "height": ["5.height"],
}

# A picture to start from, a LoRA, and a ControlNet between texts and sampler.
FROM_PICTURE = {
    **SIMPLE,
    "3": sampler(["12", 0], denoise=0.6, model=["14", 0], positive=["13", 0], negative=["13", 1]),
    "5": node("LoadImage", image="sketch.png"),
    "12": node("VAEEncode", pixels=["5", 0], vae=["4", 2]),
    "13": node(
        "ControlNetApplyAdvanced",
        positive=["6", 0],
        negative=["7", 0],
        control_net=["15", 0],
        image=["5", 0],
        strength=0.8,
        start_percent=0.0,
        end_percent=1.0,
    ),
    "14": node("LoraLoaderModelOnly", lora_name="riso-lora.safetensors", strength_model=1.0, model=["4", 0]),
    "15": node("ControlNetLoader", control_net_name="depth.safetensors"),
}
WITH_PICTURE = {name: places for name, places in TABLE.items() if name not in ("width", "height")}
WITH_PICTURE |= {"strength": ["3.denoise"], "init": ["5.image"]}

# SDXL: two texts an encoder, and the text in a node of its own.
TWO_TEXTS = {
    **SIMPLE,
    "6": node(
        "CLIPTextEncodeSDXL", text_g=["20", 0], text_l=["20", 0], width=1024, height=1024, clip=["4", 1]
    ),
    "7": node("CLIPTextEncodeSDXL", text_g="blur", text_l="blur", width=1024, height=1024, clip=["4", 1]),
    "20": node("PrimitiveStringMultiline", value="a hill"),
}
OF_TWO_TEXTS = TABLE | {"prompt": ["20.value"], "negative_prompt": ["7.text_g", "7.text_l"]}

# A second sampler over the enlarged latents.
TWO_SAMPLERS = {
    **SIMPLE,
    "8": node("VAEDecode", samples=["11", 0], vae=["4", 2]),
    "10": node("LatentUpscaleBy", samples=["3", 0], upscale_method="bicubic", scale_by=2.0),
    "11": sampler(["10", 0], seed=9, steps=12, denoise=0.5),
}
OF_TWO_SAMPLERS = {name: places for name, places in TABLE.items() if name != "steps"} | {
    "seed": ["11.seed", "3.seed"],
    "guidance": ["11.cfg", "3.cfg"],
    "scheduler": ["11.sampler_name", "3.sampler_name"],
    "schedule": ["11.scheduler", "3.scheduler"],
}

# A sampler that is put together from parts, and conditioning through other nodes.
IN_PARTS = {
    "3": node(
        "SamplerCustomAdvanced",
        noise=["30", 0],
        guider=["31", 0],
        sampler=["32", 0],
        sigmas=["33", 0],
        latent_image=["5", 0],
    ),
    "4": LOADER,
    "5": node("EmptySD3LatentImage", width=512, height=512, batch_size=1),
    **TEXTS,
    **TAIL,
    "30": node("RandomNoise", noise_seed=5),
    "31": node("CFGGuider", cfg=7.0, model=["4", 0], positive=["34", 0], negative=["35", 0]),
    "32": node("KSamplerSelect", sampler_name="euler"),
    "33": node("BasicScheduler", scheduler="simple", steps=20, denoise=1.0, model=["4", 0]),
    "34": node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["36", 0]),
    "35": node("Reroute (other)", any=["7", 0]),
    "36": node("ConditioningZeroOut", conditioning=["6", 0]),
}
OF_PARTS = TABLE | {
    "seed": ["30.noise_seed"],
    "steps": ["33.steps"],
    "guidance": ["31.cfg"],
    "scheduler": ["32.sampler_name"],
    "schedule": ["33.scheduler"],
}

ADVANCED = {
    **SIMPLE,
    "3": node(
        "KSamplerAdvanced",
        add_noise="enable",
        noise_seed=5,
        steps=20,
        cfg=7.0,
        sampler_name="euler",
        scheduler="normal",
        start_at_step=0,
        end_at_step=10000,
        return_with_leftover_noise="disable",
        model=["4", 0],
        positive=["6", 0],
        negative=["7", 0],
        latent_image=["5", 0],
    ),
}

STEPS = "steps: 11.steps is 12, 3.steps is 20; choose"
ONE_TEXT = {**SIMPLE, "3": sampler(["5", 0], negative=["6", 0])}
WITHOUT_TEXTS = {name: places for name, places in TABLE.items() if "prompt" not in name}
GRAPHS = {
    "simple": (SIMPLE, TABLE, []),
    "from a picture, with LoRA and ControlNet": (FROM_PICTURE, WITH_PICTURE, []),
    "SDXL": (TWO_TEXTS, OF_TWO_TEXTS, []),
    "two samplers": (TWO_SAMPLERS, OF_TWO_SAMPLERS, [STEPS]),
    "in parts": (IN_PARTS, OF_PARTS, []),
    "advanced": (ADVANCED, TABLE | {"seed": ["3.noise_seed"]}, []),
    "one text for both": (
        ONE_TEXT,
        WITHOUT_TEXTS,
        [f"{name}: 6.text is positive and negative at once" for name in ("prompt", "negative_prompt")],
    ),
}


SERVED = """
[workflow]
file = "w.json"

[workflow.inputs]
prompt = ["6.text"]
seed = ["3.seed"]
scheduler = ["3.sampler_name"]
width = ["5.width"]
height = ["5.height"]
"""

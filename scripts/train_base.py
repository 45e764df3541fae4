"""Train the bundled base and judge from the drawings of nbs/04_drawings.ipynb.

    python scripts/train_base.py draw   --count 32000        # drawings and captions, once
    python scripts/train_base.py vae    --minutes 10         # pictures <-> latents
    python scripts/train_base.py judge  --minutes 6          # open_clip: pictures <-> captions
    python scripts/train_base.py unet   --minutes 90         # captions -> latents; warm-starts from its checkpoint
    python scripts/train_base.py bundle --into artmint/data  # fp16 safetensors in the layout of Stable Diffusion

Every stage writes a checkpoint every few minutes to --work and continues from it. Learning rates follow the clock:
a short warm-up, a plateau, and a decay over the last two fifths of --minutes.
"""

import argparse
import copy
import itertools
import json
import math
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from artmint.core.picture import contact_sheet
from artmint.train.drawings import (
    CAPTIONS,
    DENSITIES,
    GROUNDS,
    MOTIFS,
    PALETTES,
    PLACEMENTS,
    Subject,
    caption,
    draw,
    held_out_subjects,
    subjects,
)

SIZE = 128
LATENT = 4
CONTEXT = 32
NEGATIVE = ""  # what classifier-free guidance subtracts: the empty caption, seen in one caption of ten


# ---------------------------------------------------------------- data
def drawn(seed: int) -> np.ndarray:
    "The drawing of a seed: its subject is drawn by the seed as well."
    return np.asarray(draw(subject_of(seed), seed, SIZE))


def subject_of(seed: int, seen: bool = True) -> Subject:
    "A subject for a seed: of the pairs that training sees, or of those held out."
    choice = [s for s in subjects() if held_out_subjects(s) != seen]
    return choice[np.random.default_rng((seed, 1)).integers(len(choice))]


def make_drawings(work: Path, count: int) -> None:
    "Draw the training set with all cores into one memory-mapped array (count, 128, 128, 3) of uint8."
    pictures = np.lib.format.open_memmap(work / "drawings.tmp.npy", "w+", np.uint8, (count, SIZE, SIZE, 3))
    with ProcessPoolExecutor() as pool:
        for i, picture in enumerate(pool.map(drawn, range(count), chunksize=256)):
            pictures[i] = picture
    pictures.flush()
    (work / "drawings.tmp.npy").rename(work / "drawings.npy")


def batch_of(pictures: np.ndarray, index: np.ndarray) -> torch.Tensor:
    "Pictures as a channels-last float tensor in [-1, 1]."
    return torch.from_numpy(pictures[index]).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def recolour(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    "For the VAE only: turn colours and lay dots or grain over some pictures, so that styles not drawn here can be decoded."
    n = len(x)
    turned = torch.einsum(
        "nij,njhw->nihw", torch.linalg.qr(torch.from_numpy(rng.normal(size=(n, 3, 3))).float())[0], x
    ).clamp(-1, 1)
    x = torch.where(torch.from_numpy(rng.random(n) < 0.35)[:, None, None, None], turned, x)
    y, xx = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    dots = ((xx + y) * math.pi / 5).cos() * ((xx - y) * math.pi / 5).cos()
    dotted = torch.where(dots > 0.25, x, x * 0.3 + 0.65)
    return torch.where(torch.from_numpy(rng.random(n) < 0.1)[:, None, None, None], dotted, x)


# ---------------------------------------------------------------- the loop that every stage shares
class Clock:
    "Learning-rate schedule and checkpoints by elapsed time."

    def __init__(self, optimiser: torch.optim.Optimizer, minutes: float, peak: float):
        self.optimiser = optimiser
        self.seconds = minutes * 60
        self.peak = peak
        self.start = time.time()
        self.saved = time.time()
        self.step = 0

    def tick(self) -> bool:
        "Set the rate for the next step; False when time is over."
        self.step += 1
        done = (time.time() - self.start) / self.seconds
        decay = min(1.0, max(0.0, (1 - done) / 0.4)) ** 1.5
        for group in self.optimiser.param_groups:
            group["lr"] = self.peak * min(1, self.step / 100) * decay
        return done < 1

    def due(self, minutes: float) -> bool:
        "Whether a checkpoint is due."
        if time.time() - self.saved < minutes * 60:
            return False
        self.saved = time.time()
        return True


def average(ema: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    "Exponential moving average of the weights and of the running statistics, in place."
    ours, theirs = ([t for t in m.state_dict().values() if t.is_floating_point()] for m in (ema, model))
    with torch.no_grad():
        torch._foreach_lerp_(ours, theirs, 1 - decay)


def save(path: Path, **state: object) -> None:
    "A checkpoint that is whole or absent."
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)


def log(work: Path, **row: object) -> None:
    "One line of figures, to the terminal and to log.jsonl."
    print(row, flush=True)
    with open(work / "log.jsonl", "a") as out:
        out.write(json.dumps(row) + "\n")


# ---------------------------------------------------------------- VAE
def new_vae():
    "AutoencoderTiny: 32 x 32 latents of 4 channels, 1.6M parameters. Four times smaller keeps edges sharp; eight times blurs them."
    from diffusers import AutoencoderTiny

    widths = (64, 64, 64)
    return AutoencoderTiny(
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        latent_channels=LATENT,
        num_encoder_blocks=(0, 2, 4),
        num_decoder_blocks=(5, 2, 0),
        scaling_factor=1.0,
    )


def psnr(vae, pictures: torch.Tensor) -> float:
    "Mean peak signal-to-noise ratio of reconstructions, in dB (range 2)."
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        errors = torch.cat(
            [
                (vae.decode(vae.encode(x).latents).sample.float().clamp(-1, 1) - x).square().mean((1, 2, 3))
                for x in pictures.split(32)
            ]
        )
    return float((10 * torch.log10(4 / errors)).mean())


def unseen(count: int) -> torch.Tensor:
    "Drawings that no training saw: other seeds, and the held-out pairs of motif and palette."
    return (
        torch.stack(
            [
                torch.from_numpy(np.array(draw(subject_of(s, seen=s % 2 == 0), s, SIZE)))
                for s in range(10**7, 10**7 + count)
            ]
        )
        .permute(0, 3, 1, 2)
        .float()
        / 127.5
        - 1
    )


def train_vae(work: Path, minutes: float) -> None:
    "L2 and L1 on pixels and on their gradients; noise on the latents keeps them smooth and of unit scale."
    pictures = np.load(work / "drawings.npy", mmap_mode="r")
    rng = np.random.default_rng(int(time.time()))
    vae = new_vae()
    if (work / "vae.pt").exists():
        vae.load_state_dict(torch.load(work / "vae.pt", weights_only=True)["ema"])
    vae = vae.to(memory_format=torch.channels_last).train()
    ema = copy.deepcopy(vae)
    optimiser = torch.optim.AdamW(vae.parameters(), 1e-3, (0.9, 0.95), weight_decay=1e-4)
    test = unseen(128)
    clock = Clock(optimiser, minutes, 1.5e-3)
    while clock.tick():
        x = recolour(batch_of(pictures, rng.integers(len(pictures), size=16)), rng).contiguous(
            memory_format=torch.channels_last
        )
        with torch.autocast("cpu", torch.bfloat16):
            z = vae.encode(x).latents
            y = vae.decode(z + 0.05 * torch.randn_like(z)).sample
        y = y.float()
        z = z.float()
        edges = sum((y.diff(dim=d) - x.diff(dim=d)).abs().mean() for d in (2, 3))
        scale = (z.mean((0, 2, 3)).square() + (z.var((0, 2, 3)) - 1).square()).mean()
        loss = (y - x).square().mean() * 4 + (y - x).abs().mean() + edges + 0.02 * scale
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        average(ema, vae, min(0.995, clock.step / (clock.step + 10)))
        if clock.step % 200 == 0:
            log(
                work,
                stage="vae",
                step=clock.step,
                views=clock.step * 16,
                seconds=round(time.time() - clock.start),
                loss=round(loss.item(), 4),
            )
        if clock.due(3):
            save(work / "vae.pt", ema=ema.state_dict())
    save(work / "vae.pt", ema=ema.state_dict())
    log(work, stage="vae", step=clock.step, held_out_psnr=round(psnr(ema, test), 2))
    pair = torch.cat(
        [test[:24], torch.cat([ema.decode(ema.encode(test[:24]).latents).sample.clamp(-1, 1).detach()])]
    )
    to_sheet(pair, 12).save(work / "vae.png")


def to_sheet(x: torch.Tensor, columns: int) -> Image.Image:
    "A contact sheet of pictures in [-1, 1]."
    return contact_sheet(
        [
            Image.fromarray(p)
            for p in ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        ],
        columns,
    )


# ---------------------------------------------------------------- text
def tokenizer(work: Path):
    "A CLIP tokenizer whose merges are learnt from the captions."
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    folder = work / "tokenizer"
    if not folder.exists():
        # The splitting rule of CLIP's own tokenizer, so that training and use cut words alike.
        learner = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
        learner.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
        pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
        learner.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), "removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        trainer = trainers.BpeTrainer(
            vocab_size=760,
            special_tokens=["<|startoftext|>", "<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            end_of_word_suffix="</w>",
        )
        learner.train_from_iterator((caption(s, i) for s in subjects() for i in range(7)), trainer)
        parts = json.loads(learner.to_str())["model"]
        alone = [
            f"{c}</w>"
            for c in sorted(pre_tokenizers.ByteLevel.alphabet())
            if f"{c}</w>" not in parts["vocab"]
        ]
        vocab = dict(parts["vocab"]) | {token: len(parts["vocab"]) + i for i, token in enumerate(alone)}
        merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in parts["merges"]]
        CLIPTokenizer(
            vocab=vocab,
            merges=merges,
            model_max_length=CONTEXT,
            unk_token="<|endoftext|>",
            bos_token="<|startoftext|>",
            eos_token="<|endoftext|>",
            pad_token="<|endoftext|>",
        ).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def tokens(words, captions: list[str]) -> torch.Tensor:
    "Token ids, (n, CONTEXT)."
    return words(
        captions, padding="max_length", max_length=CONTEXT, truncation=True, return_tensors="pt"
    ).input_ids


# ---------------------------------------------------------------- judge
WORDING_ODDS = [
    0.16,
    0.16,
    0.16,
    0.16,
    0.12,
    0.12,
    0.12,
]  # short wordings are cheaper and teach the main words
JUDGE = {
    "embed_dim": 128,
    "vision_cfg": {
        "image_size": SIZE,
        "layers": [1, 1, 1, 1],
        "width": 24,
        "head_width": 64,
    },  # a small ResNet: it learns shapes from far fewer pictures than a ViT
    "text_cfg": {
        "context_length": CONTEXT,
        "vocab_size": 0,
        "width": 128,
        "heads": 4,
        "layers": 2,
        "pool_type": "eos",
        "eos_id": 1,
    },
}


def new_judge(words):
    "A small CLIP of open_clip's own class."
    from open_clip.model import CLIP

    return CLIP(**JUDGE | {"text_cfg": JUDGE["text_cfg"] | {"vocab_size": len(words)}})


def accuracy(judge, words, pictures: torch.Tensor, true: list[Subject]) -> dict[str, float]:
    "Zero-shot accuracy: the nearest among the captions that differ in one word, the other words being right."
    found = {}
    choices = {
        "motif": MOTIFS,
        "palette": tuple(PALETTES),
        "ground": tuple(GROUNDS),
        "density": DENSITIES,
        "placement": PLACEMENTS,
    }
    with torch.no_grad():
        seen = torch.cat([judge.encode_image(x, normalize=True) for x in pictures.split(64)])
        for field, values in choices.items():
            texts = [caption(Subject(**vars(s) | {field: v}), 0) for s in true for v in values]
            text = torch.cat(
                [judge.encode_text(t, normalize=True) for t in tokens(words, texts).split(1024)]
            ).view(len(true), len(values), -1)
            found[field] = round(
                float(
                    (
                        (seen[:, None] * text).sum(-1).argmax(1)
                        == torch.tensor([values.index(getattr(s, field)) for s in true])
                    )
                    .float()
                    .mean()
                ),
                4,
            )
    return found


def readings(words) -> list[dict]:
    "For every wording of a caption: its distinct texts as token ids, each subject's text, and which texts go with each value of each field it names."
    found = []
    everything = subjects()
    for i, wording in enumerate(CAPTIONS):
        texts = sorted({caption(s, i) for s in everything})
        where = torch.tensor([texts.index(caption(s, i)) for s in everything])
        fields = {}
        for field in ("motif", "palette", "ground", "density", "placement"):
            if "{" + field + "}" not in wording:
                continue
            values = sorted({getattr(s, field) for s in everything})
            mask = torch.full((len(texts), len(values)), -torch.inf)
            for s, t in zip(everything, where):
                mask[t, values.index(getattr(s, field))] = 0
            fields[field] = (mask, torch.tensor([values.index(getattr(s, field)) for s in everything]))
        found.append({"ids": tokens(words, texts), "where": where, "fields": fields})
    return found


def reading_loss(logits: torch.Tensor, reading: dict, true: torch.Tensor) -> torch.Tensor:
    "Cross-entropy over all texts of a wording, and over each field's values with the other fields summed out."
    loss = F.cross_entropy(logits, reading["where"][true])
    for mask, value in reading["fields"].values():
        loss = loss + F.cross_entropy((logits[:, :, None] + mask).logsumexp(1), value[true])
    return loss / (1 + len(reading["fields"]))


def train_judge(work: Path, minutes: float) -> None:
    "A picture must find its caption among all captions of a wording, and every single word of it."
    pictures = np.load(work / "drawings.npy", mmap_mode="r")
    rng = np.random.default_rng(int(time.time()))
    words = tokenizer(work)
    judge = new_judge(words)
    wordings = readings(words)
    number = {s: i for i, s in enumerate(subjects())}
    if (work / "judge.pt").exists():
        judge.load_state_dict(torch.load(work / "judge.pt", weights_only=True)["ema"])
    judge.visual.to(memory_format=torch.channels_last)
    ema = copy.deepcopy(judge).eval()
    optimiser = torch.optim.AdamW(judge.parameters(), 1e-3, (0.9, 0.98), weight_decay=0.05)
    true = torch.tensor([number[subject_of(i)] for i in range(len(pictures))])
    clock = Clock(optimiser, minutes, 1e-3)
    judge.visual.compile()
    while clock.tick():
        index = rng.integers(len(pictures), size=96)
        reading = wordings[rng.choice(len(wordings), p=WORDING_ODDS)]
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            seen = judge.encode_image(jitter(batch_of(pictures, index), rng), normalize=True)
            # Reading all captions costs more than looking at the pictures, and they change slowly: one step of five learns to read.
            said = (
                judge.encode_text(reading["ids"], normalize=True)
                if clock.step % 5 == 1 or "said" not in reading
                else reading["said"]
            )
        reading["said"] = said.detach()
        loss = reading_loss(judge.logit_scale.exp() * seen.float() @ said.float().T, reading, true[index])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            judge.logit_scale.clamp_(0, math.log(100))
        average(ema, judge, min(0.998, clock.step / (clock.step + 10)))
        if clock.step % 50 == 0:
            log(
                work,
                stage="judge",
                step=clock.step,
                views=clock.step * 96,
                seconds=round(time.time() - clock.start),
                loss=round(loss.item(), 4),
            )
        if clock.due(3):
            save(work / "judge.pt", ema=ema.state_dict())
    save(work / "judge.pt", ema=ema.state_dict())
    held = [subject_of(s, seen=s % 2 == 0) for s in range(10**7, 10**7 + 512)]
    log(work, stage="judge", step=clock.step, held_out=accuracy(ema, words, unseen(512), held))


def jitter(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    "A little softness, noise and shift, so that the judge reads a generated picture as it reads a drawing."
    if rng.random() < 0.5:
        x = F.interpolate(
            F.interpolate(x, scale_factor=float(rng.uniform(0.4, 0.9)), mode="bilinear", antialias=True),
            SIZE,
            mode="bilinear",
        )
    return (x + torch.randn_like(x) * rng.uniform(0, 0.08)).roll(
        tuple(rng.integers(-3, 4, 2).tolist()), (2, 3)
    )


# ---------------------------------------------------------------- UNet and text encoder
def new_unet():
    "Four levels from 32x32 down to 4x4, thin at the top where memory traffic costs most, attention on the lower two."
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=SIZE // 4,
        in_channels=LATENT,
        out_channels=LATENT,
        layers_per_block=1,
        block_out_channels=(48, 96, 128, 128),
        norm_num_groups=16,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=128,
        attention_head_dim=4,
    )


def new_text(words, judge: dict[str, torch.Tensor]):
    "A CLIP text encoder of two layers that begins as the judge's text tower, which knows the words already."
    from transformers import CLIPTextConfig, CLIPTextModel

    sizes = dict(
        vocab_size=len(words),
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        projection_dim=128,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            **sizes,
            hidden_act="gelu",
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    )
    prefix = "text_model." if any(k.startswith("text_model.") for k in text.state_dict()) else ""
    text.load_state_dict({prefix + k: v for k, v in as_transformers(judge).items()})
    return text


def as_transformers(judge: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    "open_clip's text tower under the names of transformers' CLIPTextModel."
    state = {
        "embeddings.token_embedding.weight": judge["token_embedding.weight"],
        "embeddings.position_embedding.weight": judge["positional_embedding"],
    }
    names = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
        "attn.out_proj": "self_attn.out_proj",
    }
    for i, kind in itertools.product(range(2), ("weight", "bias")):
        state[f"final_layer_norm.{kind}"] = judge[f"ln_final.{kind}"]
        for theirs, ours in names.items():
            state[f"encoder.layers.{i}.{ours}.{kind}"] = judge[f"transformer.resblocks.{i}.{theirs}.{kind}"]
        for part, value in zip("qkv", judge[f"transformer.resblocks.{i}.attn.in_proj_{kind}"].chunk(3)):
            state[f"encoder.layers.{i}.self_attn.{part}_proj.{kind}"] = value
    return state


def new_scheduler():
    "DDIM with v-prediction, zero terminal SNR and trailing steps (Lin et al., 2024)."
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def latents_of(work: Path, vae) -> tuple[torch.Tensor, float]:
    "Drawings as fp16 latents, and the scale that gives them unit variance."
    path = work / "latents.pt"
    if not path.exists():
        pictures = np.load(work / "drawings.npy", mmap_mode="r")
        z = torch.empty(len(pictures), LATENT, SIZE // 4, SIZE // 4, dtype=torch.float16)
        for i in tqdm(range(0, len(z), 64), desc="encode"):
            x = batch_of(pictures, np.arange(i, min(i + 64, len(z)))).contiguous(
                memory_format=torch.channels_last
            )
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                z[i : i + 64] = vae.encode(x).latents
        save(path, latents=z, std=z[:4096].float().std().item())
    state = torch.load(path, weights_only=True)
    return state["latents"], 1 / state["std"]


def load_unet(work: Path):
    "Vae, words, text encoder and UNet as the last checkpoint left them."
    from diffusers.models.attention_processor import AttnProcessor

    words = tokenizer(work)
    vae = new_vae().eval()
    vae.load_state_dict(torch.load(work / "vae.pt", weights_only=True)["ema"])
    unet = new_unet()
    text = new_text(words, torch.load(work / "judge.pt", weights_only=True)["ema"])
    if (work / "unet.pt").exists():
        state = torch.load(work / "unet.pt", weights_only=True)
        unet.load_state_dict(state["unet"])
        text.load_state_dict(state["text"])
    unet.set_attn_processor(
        AttnProcessor()
    )  # plain attention: the backward of the fused one is slow on a CPU
    return vae.to(memory_format=torch.channels_last), words, text, unet.to(memory_format=torch.channels_last)


def train_unet(work: Path, minutes: float, peak: float) -> None:
    "v-prediction with min-SNR weights (Hang et al., 2023); one caption of ten is empty; weights averaged."
    vae, words, text, unet = load_unet(work)
    latents, scale = latents_of(work, vae)
    rng = np.random.default_rng(int(time.time()))
    scheduler = new_scheduler()
    true = [subject_of(i) for i in range(len(latents))]
    words_of = {
        c: t
        for c in {caption(s, i) for s in subjects() for i in range(7)} | {NEGATIVE}
        for t in [tokens(words, [c])[0]]
    }
    model = torch.nn.ModuleList([unet, text]).train()
    ema = copy.deepcopy(model).eval()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, (0.9, 0.99), weight_decay=0.01)
    alphas = scheduler.alphas_cumprod
    weight = torch.minimum(alphas / (1 - alphas).clamp(min=1e-8), torch.tensor(5.0)) / (
        alphas / (1 - alphas).clamp(min=1e-8) + 1
    )
    weight = weight.clamp(
        min=0.05
    )  # at zero SNR the weight would vanish, and with it the picture's overall colour
    unet.compile()  # nearly four times the speed here: the eager normalisations and their backward are bound by memory
    clock = Clock(optimiser, minutes, peak)
    recent = []
    while clock.tick():
        index = rng.integers(len(latents), size=64)
        z = (latents[index].float() * scale).contiguous(memory_format=torch.channels_last)
        ids = torch.stack(
            [words_of[NEGATIVE if rng.random() < 0.1 else caption(true[i], rng.integers(7))] for i in index]
        )
        noise = torch.randn_like(z)
        t = torch.from_numpy(rng.integers(1000, size=64))
        noisy = scheduler.add_noise(z, noise, t)
        target = scheduler.get_velocity(z, noise, t)
        with torch.autocast("cpu", torch.bfloat16):
            predicted = unet(noisy, t, text(ids).last_hidden_state).sample
        loss = ((predicted.float() - target).square().mean((1, 2, 3)) * weight[t]).mean() / weight.mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        average(ema, model, min(0.999, clock.step / (clock.step + 10)))
        recent.append(loss.item())
        if clock.step % 100 == 0:
            log(
                work,
                stage="unet",
                step=clock.step,
                views=clock.step * 64,
                seconds=round(time.time() - clock.start),
                loss=round(sum(recent) / len(recent), 4),
            )
            recent = []
        if clock.due(10):
            checkpoint(work, vae, words, ema, scale, clock.step)
    checkpoint(work, vae, words, ema, scale, clock.step)


def checkpoint(work: Path, vae, words, ema, scale: float, step: int) -> None:
    "Save the averaged weights, and a sheet of fixed prompts and seeds as they come out now."
    save(work / "unet.pt", unet=ema[0].state_dict(), text=ema[1].state_dict(), scale=scale)
    pipe = pipeline(vae, words, ema[1], ema[0], scale)
    palettes = itertools.cycle(PALETTES)
    grounds = itertools.cycle(GROUNDS)
    prompts = [
        caption(Subject(m, next(palettes), next(grounds), DENSITIES[i % 2], PLACEMENTS[i // 2]), 0)
        for m in MOTIFS
        for i in range(3)
    ]
    with torch.autocast("cpu", torch.bfloat16):
        images = [
            im
            for p in prompts
            for im in pipe(
                p,
                num_inference_steps=12,
                guidance_scale=3.0,
                num_images_per_prompt=4,
                generator=torch.Generator().manual_seed(7),
            ).images
        ]
    contact_sheet(images, 12).save(work / "unet.png")
    shutil.copy(work / "unet.png", work / f"unet-{int(time.time())}.png")


def pipeline(vae, words, text, unet, scale: float):
    "The parts as a StableDiffusionPipeline."
    from diffusers import StableDiffusionPipeline

    vae.register_to_config(scaling_factor=scale)
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=words,
        unet=unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def bundle(work: Path, into: Path) -> None:
    "Write base and judge as fp16 safetensors: a diffusers folder and an open_clip folder."
    from safetensors.torch import save_file

    vae, words, text, unet = load_unet(work)
    pipeline(vae, words, text, unet, torch.load(work / "unet.pt", weights_only=True)["scale"]).to(
        torch.float16
    ).save_pretrained(into / "base", safe_serialization=True)
    judge = into / "judge"
    judge.mkdir(parents=True, exist_ok=True)
    state = torch.load(work / "judge.pt", weights_only=True)["ema"]
    save_file(
        {k: v.half().contiguous() for k, v in state.items() if k != "attn_mask"},
        judge / "open_clip_model.safetensors",
    )
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    model = JUDGE | {"text_cfg": JUDGE["text_cfg"] | {"vocab_size": len(words), "hf_tokenizer_name": "."}}
    (judge / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model, "preprocess_cfg": preprocess}, indent=2) + "\n"
    )
    words.save_pretrained(judge)


def main() -> None:
    "One stage per call."
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("stage", choices=["draw", "vae", "judge", "unet", "bundle"])
    options.add_argument(
        "--work", type=Path, default=Path("studio/train"), help="checkpoints, sheets and log"
    )
    options.add_argument("--count", type=int, default=32000, help="drawings")
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--rate", type=float, default=1e-3, help="peak learning rate of the UNet")
    options.add_argument("--into", type=Path, default=Path("artmint/data"))
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    stages = {
        "draw": lambda: make_drawings(given.work, given.count),
        "vae": lambda: train_vae(given.work, given.minutes),
        "judge": lambda: train_judge(given.work, given.minutes),
        "unet": lambda: train_unet(given.work, given.minutes, given.rate),
        "bundle": lambda: bundle(given.work, given.into),
    }
    stages[given.stage]()


if __name__ == "__main__":
    main()

"The judge: a small CLIP of open_clip's own class, pictures and captions side by side."

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from loop import Clock, average, load, log, save, time_seeded, update
from pictures import SIZE, batch_of, drawings, jitter, subject_of, unseen, unseen_subjects
from torch.nn.attention import SDPBackend, sdpa_kernel
from words import CONTEXT, among_foreign_words, tokenizer, tokens

from artmint.train.drawings import (
    CAPTIONS,
    DENSITIES,
    GROUNDS,
    MOTIFS,
    PALETTES,
    PLACEMENTS,
    Subject,
    caption,
    subjects,
)

BATCH = 96
# Short wordings are cheaper and teach the main words.
WORDING_ODDS = [0.16, 0.16, 0.16, 0.16, 0.12, 0.12, 0.12]
CHOICES = {
    "motif": MOTIFS,
    "palette": tuple(PALETTES),
    "ground": tuple(GROUNDS),
    "density": DENSITIES,
    "placement": PLACEMENTS,
}
# A small ResNet: it learns shapes from far fewer pictures than a ViT.
VISION = {"image_size": SIZE, "layers": [1, 1, 1, 1], "width": 24, "head_width": 64}
TEXT = {
    "context_length": CONTEXT,
    "vocab_size": 0,
    "width": 128,
    "heads": 4,
    "layers": 2,
    "pool_type": "eos",
    "eos_id": 1,
}


def judge_config(words: Any, **text: object) -> dict:
    "open_clip's configuration of the judge, for a tokenizer; `text`: more for its text tower."
    return {"embed_dim": 128, "vision_cfg": VISION, "text_cfg": TEXT | {"vocab_size": len(words)} | text}


def new_judge(words: Any) -> Any:
    "A small CLIP of open_clip's own class."
    from open_clip.model import CLIP

    return CLIP(**judge_config(words))


def accuracy(judge: Any, words: Any, pictures: torch.Tensor, true: list[Subject]) -> dict[str, float]:
    """Zero-shot accuracy by field.

    The nearest among the captions that differ in one word, the other words being right.
    """
    shares = {}
    with torch.no_grad():
        images = torch.cat([judge.encode_image(part, normalize=True) for part in pictures.split(64)])
        for field, values in CHOICES.items():
            texts = [caption(Subject(**vars(s) | {field: value}), 0) for s in true for value in values]
            parts = tokens(words, texts).split(1024)
            text = torch.cat([judge.encode_text(part, normalize=True) for part in parts])
            nearest = (images[:, None] * text.view(len(true), len(values), -1)).sum(-1).argmax(1)
            right = torch.tensor([values.index(getattr(s, field)) for s in true])
            shares[field] = round(float((nearest == right).float().mean()), 4)
    return shares


@dataclass
class Reading:
    "A wording of a caption: its distinct texts as token ids, and the text of every subject."

    texts: list[str]
    ids: torch.Tensor
    where: torch.Tensor  # (subjects,) the number of a subject's text
    fields: list[tuple[torch.Tensor, torch.Tensor]]  # masks (texts, values) and values (subjects,)
    encoded: torch.Tensor | None = None  # as the judge last read the texts

    def read(self, words: Any, rng: np.random.Generator, share: float = 1 / 3) -> torch.Tensor:
        "Its texts as token ids, that share of times among foreign words."
        if rng.random() > share:
            return self.ids
        return tokens(words, among_foreign_words(self.texts, rng))


def readings(words: Any) -> list[Reading]:
    "For every wording of a caption, how it is read."
    return [reading_of(words, number, wording) for number, wording in enumerate(CAPTIONS)]


def reading_of(words: Any, number: int, wording: str) -> Reading:
    "One wording, with those fields that it names."
    everything = subjects()
    captions = [caption(subject, number) for subject in everything]
    texts = sorted(set(captions))
    where = torch.tensor([texts.index(text) for text in captions])
    fields = []
    for field in ("motif", "palette", "ground", "density", "placement"):
        if "{" + field + "}" not in wording:
            continue
        values = sorted({getattr(subject, field) for subject in everything})
        value = torch.tensor([values.index(getattr(subject, field)) for subject in everything])
        mask = torch.full((len(texts), len(values)), -torch.inf)
        mask[where, value] = 0
        fields.append((mask, value))
    return Reading(texts, tokens(words, texts), where, fields)


def reading_loss(logits: torch.Tensor, reading: Reading, true: torch.Tensor) -> torch.Tensor:
    "Cross-entropy over all texts of a wording, and over each field's values with the others summed out."
    loss = F.cross_entropy(logits, reading.where[true])
    for mask, value in reading.fields:
        loss = loss + F.cross_entropy((logits[:, :, None] + mask).logsumexp(1), value[true])
    return loss / (1 + len(reading.fields))


def loss_of(
    judge: Any, pictures: torch.Tensor, reading: Reading, true: torch.Tensor, ids: torch.Tensor | None
) -> torch.Tensor:
    "A picture must find its caption among all captions of a wording, and every single word of it."
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        images = judge.encode_image(pictures, normalize=True)
        texts = reading.encoded if ids is None else judge.encode_text(ids, normalize=True)
    reading.encoded = texts.detach()
    return reading_loss(judge.logit_scale.exp() * images.float() @ texts.float().T, reading, true)


def train_judge(work: Path, minutes: float) -> None:
    "Train for so many minutes; writes judge.pt."
    pictures, rng, words = drawings(work), np.random.default_rng(time_seeded()), tokenizer(work)
    judge, wordings = new_judge(words), readings(words)
    number_of = {subject: number for number, subject in enumerate(subjects())}
    if (work / "judge.pt").exists():
        judge.load_state_dict(load(work / "judge.pt")["ema"])
    judge.visual.to(memory_format=torch.channels_last)
    ema = copy.deepcopy(judge).eval()
    optimiser = torch.optim.AdamW(judge.parameters(), 1e-3, (0.9, 0.98), weight_decay=0.05)
    true = torch.tensor([number_of[subject_of(seed)] for seed in range(len(pictures))])
    clock = Clock(optimiser, minutes, 1e-3)
    judge.visual.compile()
    while clock.tick():
        index = rng.integers(len(pictures), size=BATCH)
        reading = wordings[rng.choice(len(wordings), p=WORDING_ODDS)]
        x = jitter(batch_of(pictures, index), rng)
        # Reading all captions costs more than looking at the pictures, and they change slowly: one step of
        # five learns to read.
        due = clock.step % 5 == 1 or reading.encoded is None
        loss = loss_of(judge, x, reading, true[index], reading.read(words, rng) if due else None)
        update(optimiser, loss, judge)
        with torch.no_grad():
            judge.logit_scale.clamp_(0, math.log(100))
        average(ema, judge, min(0.998, clock.step / (clock.step + 10)))
        if clock.step % 50 == 0:
            facts = {"views": clock.step * BATCH, "seconds": clock.elapsed(), "loss": round(loss.item(), 4)}
            log(work, stage="judge", step=clock.step, **facts)
        if clock.due(3):
            save(work / "judge.pt", ema=ema.state_dict())
    save(work / "judge.pt", ema=ema.state_dict())
    held_out = accuracy(ema, words, unseen(512), unseen_subjects(512))
    log(work, stage="judge", step=clock.step, held_out=held_out)


SEEN = 8192  # drawings whose embeddings are kept while the judge learns to read


def train_reading(work: Path, minutes: float) -> None:
    "Train the text tower alone, beside pictures as the eyes see them now, mostly among foreign words; writes judge.pt."
    rng, words = np.random.default_rng(time_seeded()), tokenizer(work)
    judge, wordings = new_judge(words), readings(words)
    judge.load_state_dict(load(work / "judge.pt")["ema"])
    number_of = {subject: number for number, subject in enumerate(subjects())}
    true = torch.tensor([number_of[subject_of(seed)] for seed in range(SEEN)])
    images = seen(judge.eval(), drawings(work))
    ema = copy.deepcopy(judge)
    tower = [weight for name, weight in judge.named_parameters() if not name.startswith("visual.")]
    optimiser = torch.optim.AdamW(tower, 5e-4, (0.9, 0.98), weight_decay=0.05)
    clock = Clock(optimiser, minutes, 5e-4)
    while clock.tick():
        index = rng.integers(SEEN, size=BATCH * 4)
        reading = wordings[rng.choice(len(wordings), p=WORDING_ODDS)]
        texts = judge.encode_text(reading.read(words, rng, 2 / 3), normalize=True)
        logits = judge.logit_scale.exp().detach() * images[index] @ texts.T
        loss = reading_loss(logits, reading, true[index])
        update(optimiser, loss, judge)
        average(ema, judge, min(0.998, clock.step / (clock.step + 10)))
        if clock.step % 50 == 0:
            log(work, stage="reading", step=clock.step, seconds=clock.elapsed(), loss=round(loss.item(), 4))
    save(work / "judge.pt", ema=ema.state_dict())
    held_out = accuracy(ema, words, unseen(512), unseen_subjects(512))
    log(work, stage="reading", step=clock.step, held_out=held_out)


def seen(judge: Any, pictures: np.ndarray) -> torch.Tensor:
    "Embeddings of the first drawings, (SEEN, 128), of unit length."
    with torch.no_grad():
        parts = [
            judge.encode_image(batch_of(pictures, np.arange(start, start + 64)), normalize=True)
            for start in range(0, SEEN, 64)
        ]
    return torch.cat(parts)

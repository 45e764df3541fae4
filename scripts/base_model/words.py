"Words: a CLIP tokenizer of our own, and captions as token ids."

import json
import string
from pathlib import Path
from typing import Any

import numpy as np
import torch

from artmint.train.drawings import CAPTIONS, caption, subjects

CONTEXT = 32  # tokens
START, END = "<|startoftext|>", "<|endoftext|>"
# The splitting rule of CLIP's own tokenizer, so that training and use cut words alike.
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def tokenizer(work: Path) -> Any:
    "A CLIP tokenizer whose merges are learnt from the captions; learnt once."
    from transformers import CLIPTokenizer

    folder = work / "tokenizer"
    if not folder.exists():
        vocab, merges = learnt()
        tokens = {"unk_token": END, "bos_token": START, "eos_token": END, "pad_token": END}
        new = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=CONTEXT, **tokens)
        new.save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def learnt() -> tuple[dict[str, int], list[tuple[str, ...]]]:
    "Vocabulary and merges, from every wording of every subject."
    from tokenizers import pre_tokenizers, trainers

    learner, alphabet = new_learner(), pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=760,
        special_tokens=[START, END],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
    )
    wordings = range(len(CAPTIONS))
    learner.train_from_iterator((caption(s, wording) for s in subjects() for wording in wordings), trainer)
    parts = json.loads(learner.to_str())["model"]
    vocab = dict(parts["vocab"])
    alone = [f"{letter}</w>" for letter in sorted(alphabet) if f"{letter}</w>" not in vocab]
    vocab |= {token: len(vocab) + number for number, token in enumerate(alone)}
    merges = [
        tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in parts["merges"]
    ]
    return vocab, merges


def new_learner() -> Any:
    "A byte-pair encoder that cuts words as CLIP does."
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END))
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), spaces, normalizers.Lowercase()])
    split = pre_tokenizers.Split(Regex(PATTERN), "removed", invert=True)
    in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner.pre_tokenizer = pre_tokenizers.Sequence([split, in_bytes])
    return learner


def tokens(words: Any, captions: list[str]) -> torch.Tensor:
    "Token ids, (n, CONTEXT)."
    padded = words(captions, padding="max_length", max_length=CONTEXT, truncation=True, return_tensors="pt")
    return padded.input_ids


def foreign_words(rng: np.random.Generator) -> str:
    "One or two words of three to seven letters that mean nothing."
    words = []
    for _ in range(rng.integers(1, 3)):
        letters = rng.choice(list(string.ascii_lowercase), size=rng.integers(3, 8))
        words.append("".join(letters))
    return " ".join(words)


def among_foreign_words(texts: list[str], rng: np.random.Generator) -> list[str]:
    """Texts with the same words that mean nothing before or behind all of them. Words that no caption has, such as a style's
    trigger, are cut into the pieces that some words of captions are made of: it has to be learnt that they say nothing."""
    foreign, behind = foreign_words(rng), rng.random() < 0.4
    pairs = [(text, foreign) if behind else (foreign, text) for text in texts]
    return [", ".join(filter(None, pair)) for pair in pairs]

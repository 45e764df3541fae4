"A small language model of random weights, as transformers writes it and as llama.cpp reads it, and posts that teach it."

import json
from pathlib import Path

import numpy as np

from artmint.report.voices import gguf_file

MARKS = ["<s>", "</s>", "<unk>", "<0x0A>", *" {}:,.!P"]
LETTERS = [*MARKS, *"abcdefghijklmnopqrstuvwxyz"]
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}
BEGINNINGS = ("Take your time with", "Look closely at", "We come back to", "Stay a while with")
ENDINGS = ("it holds the light", "it is quiet at its edge", "it asks for nothing", "it grows slowly")
EARLIER = [f"{one} Harbor no. {n}, {two}." for n, one in enumerate(BEGINNINGS) for two in ENDINGS]


def posts() -> list[tuple[str, str]]:
    "Sixteen posts that teach something, with their places."
    return [(f"posts.txt, post {n}", text) for n, text in enumerate(EARLIER, 1)]


def small_model(folder: Path) -> Path:
    "A Llama that reads letters."
    import torch
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = {letter: number for number, letter in enumerate(LETTERS)}
    tokenizer = Tokenizer(models.BPE(letters, [], unk_token="<unk>"))
    marks = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(letters), max_position_embeddings=512, **SIZES, **HEADS)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _turned(weights: np.ndarray, heads: int) -> np.ndarray:
    "Queries or keys as llama.cpp wants them of a Llama."
    halves = weights.reshape(heads, 2, weights.shape[0] // heads // 2, weights.shape[1])
    return halves.swapaxes(1, 2).reshape(weights.shape)


def _llama_facts(config: dict) -> dict:
    "What llama.cpp asks of a Llama."
    sizes = {
        "context_length": 512,
        "embedding_length": config["hidden_size"],
        "block_count": config["num_hidden_layers"],
        "feed_forward_length": config["intermediate_size"],
        "rope.dimension_count": config["hidden_size"] // config["num_attention_heads"],
        "attention.head_count": config["num_attention_heads"],
        "attention.head_count_kv": config["num_key_value_heads"],
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.freq_base": float(config["rope_parameters"]["rope_theta"]),
        "vocab_size": config["vocab_size"],
    }
    kinds = [3, 3, 2, 6, *[1] * (len(LETTERS) - 4)]
    words = {"model": "llama", "tokens": [one.replace(" ", "\u2581") for one in LETTERS], "token_type": kinds}
    words |= {"scores": [0.0] * len(LETTERS), "bos_token_id": 0, "eos_token_id": 1, "unknown_token_id": 2}
    facts = {"general.architecture": "llama", **{f"llama.{name}": value for name, value in sizes.items()}}
    return facts | {f"tokenizer.ggml.{name}": value for name, value in words.items()}


def small_gguf(folder: Path) -> bytes:
    "The same model for llama.cpp."
    from safetensors.numpy import load_file

    config, weights = (
        json.loads((folder / "config.json").read_text()),
        load_file(folder / "model.safetensors"),
    )
    names = {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    heads = {
        "self_attn.q_proj": config["num_attention_heads"],
        "self_attn.k_proj": config["num_key_value_heads"],
    }
    tensors = {"token_embd.weight": weights["model.embed_tokens.weight"]}
    tensors |= {
        "output_norm.weight": weights["model.norm.weight"],
        "output.weight": weights["lm_head.weight"],
    }
    for layer in range(config["num_hidden_layers"]):
        for old, new in names.items():
            matrix = weights[f"model.layers.{layer}.{old}.weight"]
            tensors[f"blk.{layer}.{new}.weight"] = _turned(matrix, heads[old]) if old in heads else matrix
    return gguf_file(_llama_facts(config), tensors)

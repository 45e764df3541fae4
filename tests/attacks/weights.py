"Weights and bases: files that are code, configurations that name it, tensors that are none."

import json
import pickle
import struct
from functools import cache, partial
from pathlib import Path

import numpy as np

from artmint.core.canon import Refusal
from tests.attacks.attack import HARMLESS, Attack

GATE = "weights and bases"
BASES = "weights and bases"


def tensors(header: object, body: bytes = b"", size: int | None = None) -> bytes:
    "A file that says it is safetensors."
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


F32 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def headers() -> dict[str, bytes]:
    "Files that aren't safetensors, by what is wrong with them."
    one = {"a": F32}
    return {
        "nothing": b"",
        "seven bytes": b"\1\0\0\0\0\0\0",
        "no header": struct.pack("<Q", 0),
        "a header of 2^63 bytes": tensors(one, bytes(4), 1 << 63),
        "a header of 200 MB": tensors(one, bytes(4), 200 << 20),
        "a header longer than the file": tensors(one, bytes(4), 10_000),
        "a header that is a list": tensors([1, 2]),
        "a header that is a text": tensors(b'"x"'),
        "a header of brackets": tensors(b"[" * 50_000),
        "a header of tables": tensors(b'{"a":' * 50_000),
        "a header that isn't JSON": tensors(b"{a: 1}"),
        "a header that is no UTF-8": tensors(b'{"\xff": 1}'),
        "a key twice": tensors(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            bytes(4),
        ),
        "offsets beyond the end": tensors({"a": F32 | {"data_offsets": [0, 4000]}}, bytes(4)),
        "offsets backwards": tensors({"a": F32 | {"data_offsets": [4, 0]}}, bytes(4)),
        "negative offsets": tensors({"a": F32 | {"data_offsets": [-4, 0]}}, bytes(4)),
        "offsets of 2^64": tensors({"a": F32 | {"data_offsets": [0, 1 << 64]}}, bytes(4)),
        "a hole": tensors({"a": F32 | {"data_offsets": [4, 8]}}, bytes(8)),
        "overlapping tensors": tensors({"a": F32, "b": F32}, bytes(4)),
        "a shape of 2^40": tensors({"a": F32 | {"shape": [1 << 40]}}, bytes(4)),
        "a shape that overflows": tensors({"a": F32 | {"shape": [1 << 32, 1 << 32]}}, bytes(4)),
        "a negative shape": tensors({"a": F32 | {"shape": [-1]}}, bytes(4)),
        "a shape of fractions": tensors({"a": F32 | {"shape": [0.5]}}, bytes(4)),
        "an unknown dtype": tensors({"a": F32 | {"dtype": "PY"}}, bytes(4)),
        "metadata that is no text": tensors({"__metadata__": {"a": 1}, "a": F32}, bytes(4)),
        "a pickle": pickle.dumps({"a": 1}),
        "an archive": b"PK\3\4" + bytes(60),
        "a page": b"<html>not found</html>",
        "bytes behind its tensors": tensors(one, bytes(4000)),
    }


def adapter_metadata() -> dict[str, str]:
    "peft's configurations in a header, by what is wrong with them."
    return {
        "no JSON": "{",
        "brackets": "[" * 5000,
        "tables": '{"a":' * 5000,
        "a list": "[1]",
        "a number": "5",
        "a rank that is a text": '{"r": "much"}',
        "an alpha that is infinite": '{"lora_alpha": 1e999}',
        "a rank of 5000 digits": '{"r": ' + "9" * 5000 + "}",
        "a pattern that is a regular expression": '{"r": 2, "rank_pattern": {"(a+)+$": 3}}',
        "another rank": '{"r": 64}',
    }


BROKEN_METADATA = (
    "no JSON",
    "brackets",
    "tables",
    "a list",
    "a number",
    "an alpha that is infinite",
    "a rank of 5000 digits",
)


@cache
def sound(**facts: str) -> bytes:
    "A small adapter."
    import torch

    from artmint.make.adapters import pack_tensors

    return pack_tensors({"lora_unet_to_q.lora_down.weight": torch.ones(2, 8)}, dict(facts))


def _unpack(data: bytes, folder: Path) -> None:
    from artmint.make.adapters import unpack_tensors

    unpack_tensors(data)


def _header(data: bytes, folder: Path) -> None:
    from artmint.make.adapters import header_of

    header_of(data)


def _word(data: bytes, folder: Path) -> None:
    from artmint.make.embeddings import read_embedding

    (folder / "word.safetensors").write_bytes(data)
    read_embedding(folder / "word.safetensors", "<a>")


def _head(data: bytes, folder: Path) -> None:
    from artmint.judge.heads import read_head

    read_head("style", data, "style", _Judge())


def _aesthetic(data: bytes, folder: Path) -> None:
    from artmint.judge.heads import aesthetic_weights

    aesthetic_weights("aesthetic", data)


class _Judge:
    digest, width = "0" * 64, 8


def _style_head(facts: dict, parts: dict, folder: Path) -> None:
    from artmint.judge.heads import _probe, _style, pack_head

    data = pack_head({"judge": "0" * 64} | facts, parts)
    if facts.get("kind") == "style":
        _style("style", data, _Judge())
    else:
        _probe("probe", data, _Judge(), "motif")


def _alpha(text: str, folder: Path) -> None:
    from artmint.make.adapters import alpha_of, header_of

    alpha_of(header_of(sound(lora_adapter_metadata=text)), "unet", "to_q", 2)


def _tags(text: str, folder: Path) -> None:
    from artmint.make.adapters import header_facts, header_of

    header_facts(header_of(sound(ss_tag_frequency=text)))


def _lineage(text: str, folder: Path) -> None:
    from artmint.make.adapters import lineage_of

    lineage_of(sound(artmint=text, **{"artmint.lineage": text}))


def _read_adapter(name: str, data: bytes, folder: Path, config: str | None = None) -> None:
    from artmint.make.adapters import read_adapter

    (folder / name).write_bytes(data)
    if config is not None:
        (folder / "adapter_config.json").write_text(config)
    read_adapter(folder if config is not None else folder / name)


def base(folder: Path) -> Path:
    "A folder in diffusers' layout, small."
    root = folder / "base"
    files = {
        "model_index.json": {
            "_class_name": "StableDiffusionPipeline",
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
        "unet/config.json": {"_class_name": "UNet2DConditionModel", "sample_size": 8},
        "vae/config.json": {"_class_name": "AutoencoderKL"},
        "text_encoder/config.json": {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model"},
        "tokenizer/tokenizer_config.json": {"tokenizer_class": "CLIPTokenizer"},
        "scheduler/scheduler_config.json": {"_class_name": "DDIMScheduler"},
    }
    for name, value in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(value))
    for part in ("unet", "vae", "text_encoder"):
        (root / part / "model.safetensors").write_bytes(tensors({"a": F32}, bytes(4)))
    return root


def _seen(name: str, folder: Path) -> None:
    "Libraries see a folder of links, and nothing that could be code is in it."
    from artmint.make.base import MODEL_FILES, plain_view

    root = base(folder)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(b"import os")
    with plain_view(root) as view:
        found = [path for path in view.rglob("*") if path.is_file()]
        assert all(path.suffix in MODEL_FILES for path in found), found
        assert len(found) >= 9


def _configured(name: str, change: dict, folder: Path) -> None:
    from artmint.make.base import refuse_code

    root = base(folder)
    path = root / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    refuse_code(root)


def _broken(name: str, text: bytes, folder: Path) -> None:
    from artmint.make.base import refuse_code

    root = base(folder)
    (root / name).write_bytes(text)
    refuse_code(root)


def _indexed(change: object, folder: Path) -> None:
    from artmint.make.base import BaseFiles, _stated_files

    root = base(folder)
    index = json.loads((root / "model_index.json").read_text())
    index = (
        change
        if not isinstance(change, dict)
        else {key: value for key, value in (index | change).items() if value != "-"}
    )
    (root / "model_index.json").write_text(json.dumps(index))
    _stated_files(root, BaseFiles())


def _pickled(name: str, folder: Path) -> None:
    from artmint.make.base import BaseFiles, _stated_files

    root = base(folder)
    (root / "unet" / "model.safetensors").unlink()
    (root / name).write_bytes(b"\x80\x04.")
    _stated_files(root, BaseFiles())


def _place(source: str, folder: Path) -> None:
    from artmint.make.base import BaseFiles, _place_of, _stated_files

    path = folder / source if not source.startswith(("/", "~", ".")) else Path(source)
    if source.endswith(
        (".ckpt", ".pt", ".bin", ".pth", ".pkl", ".CKPT", ".txt", ".onnx", ".safetensors")
    ) and path.is_relative_to(folder):
        path.write_bytes(b"\x80\x04.")
    _stated_files(_place_of(str(path)), BaseFiles())


def _single(names: list[str], folder: Path) -> None:
    from artmint.make.base import _family, _tensor_names

    path = folder / "base.safetensors"
    rows = {name: F32 | {"data_offsets": [4 * at, 4 * at + 4]} for at, name in enumerate(names)}
    path.write_bytes(tensors(rows, bytes(4 * len(names))))
    _family(path, _tensor_names(path))


def _predictor(files: dict[str, bytes], folder: Path) -> None:
    from artmint.judge.predictors import _embeds, _read_size, predictor_folder

    for name, data in files.items():
        (folder / name).write_bytes(data)
    found = predictor_folder("see", str(folder))
    _read_size(found)
    _embeds(found, "SiglipVisionModel")


def _judged(config: bytes, folder: Path) -> None:
    from artmint.make.judges import _kind_of

    (folder / "config.json").write_bytes(config)
    _kind_of(folder, str(folder), None)


def _converted(data: bytes, folder: Path) -> None:
    from artmint.judge.predictors import to_safetensors

    (folder / "weights.pth").write_bytes(data)
    to_safetensors(folder / "weights.pth")


class _Runs:
    "What a pickle runs."

    def __reduce__(self):
        import os

        return os.mkdir, ("/nowhere/at/all",)


def _tensor_attacks() -> list[Attack]:
    found = []
    ways = {"adapter": _unpack, "header": _header, "word": _word, "head": _head, "aesthetic head": _aesthetic}
    for what, data in headers().items():
        for name, run in ways.items():
            if name == "header" and what in _HEADERS_ALONE:
                continue
            found.append(Attack(GATE, f"{name}: {what}", partial(run, data), Refusal))
    for what, text in adapter_metadata().items():
        found.append(Attack(GATE, f"peft's configuration: {what}", partial(_alpha, text), Refusal))
        found.append(Attack(GATE, f"kohya's tags: {what}", partial(_tags, text), HARMLESS))
        found.append(Attack(GATE, f"lineage: {what}", partial(_lineage, text), Refusal))
        found.append(
            Attack(
                GATE,
                f"adapter_config.json: {what}",
                partial(_read_adapter, "adapter_model.safetensors", sound(), config=text),
                Refusal if what in BROKEN_METADATA else HARMLESS,
            )
        )
    far, mean, square = np.zeros(4), np.zeros(8), np.eye(8)
    heads = {
        "no tensors": ({"kind": "style"}, {"x": far}),
        "another width": ({"kind": "style"}, {"mean": np.zeros(9), "precision": square, "far": far}),
        "a mean that is no row": ({"kind": "style"}, {"mean": square, "precision": square, "far": far}),
        "numbers that are none": (
            {"kind": "style"},
            {"mean": mean * np.nan, "precision": square, "far": far},
        ),
        "infinite numbers": ({"kind": "style"}, {"mean": mean, "precision": square * np.inf, "far": far}),
        "another judge": (
            {"kind": "style", "judge": "1" * 64},
            {"mean": mean, "precision": square, "far": far},
        ),
        "no values": ({"kind": "probe", "accuracy": 0.5}, {"theta": np.zeros((2, 9))}),
        "values that are a number": (
            {"kind": "probe", "accuracy": 0.5, "values": 3},
            {"theta": np.zeros((2, 9))},
        ),
        "an accuracy that is a text": (
            {"kind": "probe", "accuracy": "good", "values": ["a", "b"]},
            {"theta": np.zeros((2, 9))},
        ),
        "fewer rows than values": (
            {"kind": "probe", "accuracy": 0.5, "values": ["a", "b", "c"]},
            {"theta": np.zeros((2, 9))},
        ),
    }
    found += [
        Attack(GATE, f"a head with {what}", partial(_style_head, *given), Refusal)
        for what, given in heads.items()
    ]
    layers = {
        "a layer without a bias": {"layers.0.weight": F32 | {"shape": [1, 1]}},
        "a weight that is a number": {
            "layers.0.weight": F32 | {"shape": []},
            "layers.0.bias": F32 | {"data_offsets": [4, 8]},
        },
        "a bias of another length": {
            "layers.0.weight": F32 | {"shape": [1, 1]},
            "layers.0.bias": F32 | {"shape": [2], "data_offsets": [4, 12]},
        },
        "no layer": {"a": F32},
    }
    for what, rows in layers.items():
        size = max(row["data_offsets"][1] for row in rows.values())
        found.append(
            Attack(GATE, f"a predictor with {what}", partial(_aesthetic, tensors(rows, bytes(size))), Refusal)
        )
    bad = tensors(
        {"layers.0.weight": F32 | {"shape": [1, 1]}, "layers.0.bias": F32 | {"data_offsets": [4, 8]}},
        struct.pack("<ff", float("nan"), 1),
    )
    found.append(
        Attack(GATE, "a predictor with numbers that are none", partial(_aesthetic, bad), Refusal, "finite")
    )
    for what, data in {
        "a pickle that runs code": pickle.dumps(_Runs()),
        "junk": b"junk",
        "nothing": b"",
        "an archive that is none": b"PK\3\4" + bytes(50),
    }.items():
        found.append(Attack(GATE, f"to_safetensors of {what}", partial(_converted, data), Refusal))
        found.append(Attack(GATE, f"a predictor in {what}", partial(_aesthetic, data), Refusal))
    for name in ("a.bin", "a.ckpt", "a.pt", "a.pth", "a.pkl", "a.BIN", "a.Pt"):
        found.append(
            Attack(GATE, f"an adapter {name}", partial(_read_adapter, name, b"\x80\x04."), Refusal, "pickle")
        )
    return found


_HEADERS_ALONE = (  # of which the header alone is sound
    "offsets beyond the end",
    "offsets backwards",
    "negative offsets",
    "offsets of 2^64",
    "a hole",
    "overlapping tensors",
    "a shape of 2^40",
    "a shape that overflows",
    "a negative shape",
    "a shape of fractions",
    "an unknown dtype",
    "bytes behind its tensors",
    "metadata that is no text",
)


def _base_attacks() -> list[Attack]:
    found = []
    code = "pipeline.py unet/my_unet.py None.py unet/None.py __init__.py unet/__init__.py a.so unet/a.so a.pyc a.pyd a.dll a.dylib a.pickle a.joblib a.msgpack a.h5 a.onnx a.BIN a.bin a.pkl a.npy a.npz a.sh a.ipynb a.zip a.tar a.whl .hidden.py unet/conv.cu"
    for name in code.split():
        found.append(Attack(BASES, f"a base with {name}", partial(_seen, name), HARMLESS))
    configs = (
        "model_index.json",
        "unet/config.json",
        "vae/config.json",
        "text_encoder/config.json",
        "scheduler/scheduler_config.json",
        "tokenizer/tokenizer_config.json",
    )
    changes = {
        "auto_map": {"auto_map": {"AutoModel": "evil.Model"}},
        "auto_map inside": {"text_config": {"auto_map": {"AutoModel": "evil.Model"}}},
        "auto_map in a list": {"layers": [{"auto_map": {"AutoModel": "evil/evil--evil.Model"}}]},
        "a pipeline of its own": {"custom_pipeline": "evil/pipeline"},
        "trust": {"trust_remote_code": True},
        "quantization": {"quantization_config": {"quant_method": "evil"}},
        "a kernel": {"_attn_implementation_internal": "evil-org/evil-kernel"},
        "an attention from elsewhere": {"attn_implementation": "evil/kernel"},
        "a private key": {"_evil": "evil/evil"},
        "a file elsewhere": {"vocab_file": "/etc/passwd"},
        "a tokenizer elsewhere": {"tokenizer_file": "../../../etc/passwd"},
        "merges elsewhere": {"merges_file": "https://127.0.0.1/m"},
    }
    for config in configs:
        for what, change in changes.items():
            found.append(
                Attack(
                    BASES,
                    f"{config} with {what}",
                    partial(_configured, config, change),
                    Refusal,
                    "Nothing was loaded",
                )
            )
        for what, text in {
            "brackets": b"[" * 9000,
            "no JSON": b"{",
            "no UTF-8": b'{"\xff":1}',
            "doubled keys": b'{"a":1,"a":2}',
            "5 MB": b" " * (5 << 20),
            "NaN": b'{"a":NaN}',
        }.items():
            found.append(Attack(BASES, f"{config} of {what}", partial(_broken, config, text), Refusal))
    indexes = {
        "a class of its own": {"unet": ["my_unet", "My"]},
        "a module of the system": {"unet": ["os", "system"]},
        "antigravity": {"unet": ["antigravity", "X"]},
        "a number for a library": {"unet": [5, "X"]},
        "no pipeline": {"_class_name": "-"},
        "a pipeline that is code": {"_class_name": ["evil", "Pipeline"]},
        "a dotted class": {"vae": ["diffusers.evil", "X"]},
        "a list": [1],
        "a text": "x",
    }
    for what, change in indexes.items():
        found.append(Attack(BASES, f"model_index.json with {what}", partial(_indexed, change), Refusal))
    for name in ("unet/a.bin", "unet/a.ckpt", "unet/a.pt", "unet/a.pth", "unet/a.pkl", "unet/a.BIN"):
        found.append(Attack(BASES, f"nothing but {name}", partial(_pickled, name), Refusal, "pickle"))
    for source in (
        "a.ckpt",
        "a.pt",
        "a.bin",
        "a.pth",
        "a.pkl",
        "a.CKPT",
        "a.txt",
        "a.onnx",
        "a.safetensors",
        "/nowhere/at/all",
        "./none/of/it",
        "~/none/of/it",
    ):
        found.append(Attack(BASES, f"a base at {source}", partial(_place, source), Refusal))
    for what, names in {
        "FLUX": ["double_blocks.0"],
        "SD 3": ["joint_blocks.0"],
        "nothing known": ["a.b"],
        "a refiner": ["model.diffusion_model.a", "conditioner.embedders.0.x"],
    }.items():
        found.append(Attack(BASES, f"a single file of {what}", partial(_single, names), Refusal))
    weights = {"a.safetensors": tensors({"a": F32}, bytes(4))}
    folders = {
        "nothing": {},
        "a pickle alone": {"a.bin": b"\x80\x04."},
        "code in its configuration": weights | {"config.json": b'{"auto_map": {"AutoModel": "evil.Model"}}'},
        "a configuration that is a list": weights | {"config.json": b"[1]"},
        "a broken configuration": weights | {"config.json": b"{"},
        "a preprocessor that is a list": weights | {"preprocessor_config.json": b"[]"},
        "a preprocessor of brackets": weights | {"preprocessor_config.json": b"[" * 9000},
    }
    for what, files in folders.items():
        found.append(Attack(BASES, f"a predictor's folder with {what}", partial(_predictor, files), Refusal))
    for what, config in {
        "a list": b"[]",
        "no JSON": b"{",
        "brackets": b"[" * 9000,
        "an unknown type": b'{"model_type": "evil"}',
        "a type that is a table": b'{"model_type": {}}',
        "nothing": b"",
    }.items():
        found.append(Attack(BASES, f"a judge's configuration: {what}", partial(_judged, config), Refusal))
    return found


def attacks() -> list[Attack]:
    "All of this gate."
    return _tensor_attacks() + _base_attacks()

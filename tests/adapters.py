"Adapters with random matrices, in every layout that tools write, and what they should do to a base."

import copy
from dataclasses import dataclass, field

import torch

from artmint.make.adapters import pack_tensors
from artmint.make.layouts import original_name


@dataclass
class Matrices:
    "One layer's LoRA."

    down: torch.Tensor
    up: torch.Tensor
    alpha: float
    place: tuple[str, str] = field(default=("", ""))

    def delta(self, shape) -> torch.Tensor:
        "alpha / rank · B A, by hand."
        product = self.up.flatten(1).double() @ self.down.flatten(1).double()
        return (self.alpha / len(self.down) * product).view(shape)


def layers(base, *endings: str) -> list[tuple[str, str]]:
    "Part and name of a base's linear layers and convolutions, all or those with an ending."
    found = []
    for part in ("unet", "text_encoder", "text_encoder_2"):
        network = getattr(base.pipeline, part, None)
        for name, module in network.named_modules() if network is not None else ():
            weight = getattr(module, "weight", None)
            if weight is not None and weight.dim() in (2, 4) and "embed" not in name.rpartition(".")[2]:
                if not endings or name.endswith(endings):
                    found.append((part, name))
    return found


def weight_of(pipeline, place: tuple[str, str]) -> torch.Tensor:
    return getattr(pipeline, place[0]).get_submodule(place[1]).weight


def random_lora(base, places, ranks=(2,), alphas=(1.0,), seed=0) -> list[Matrices]:
    "Matrices for layers, ranks and alphas in turn; no alpha: the rank."
    make = torch.Generator().manual_seed(seed)
    made = []
    for i, place in enumerate(places):
        high, wide, *kernel = weight_of(base.pipeline, place).shape
        rank = ranks[i % len(ranks)]
        down = torch.randn(rank, wide, *kernel, generator=make) * 0.3
        up = torch.randn(high, rank, *(1 for _ in kernel), generator=make) * 0.3
        alpha = alphas[i % len(alphas)]
        made.append(Matrices(down, up, float(rank) if alpha is None else alpha, place))
    return made


def long_name(place: tuple[str, str]) -> str:
    "A layer as files call it."
    part, layer = place
    return (
        layer
        if part == "unet" or layer.startswith("text_model.") or "projection" in layer
        else f"text_model.{layer}"
    )


def kohya(
    lora: list[Matrices], xl: bool = False, starts=("lora_unet", "lora_te", "lora_te2"), dot="_", alpha=True
):
    "kohya's tensors; with Stability's names for XL."
    tensors = {}
    parts = dict(zip(("unet", "text_encoder", "text_encoder_2"), starts))
    for one in lora:
        name = original_name(one.place[1]) if xl and one.place[0] == "unet" else long_name(one.place)
        key = f"{parts[one.place[0]]}{dot}{name.replace('.', dot)}"
        tensors |= {f"{key}.lora_down.weight": one.down, f"{key}.lora_up.weight": one.up}
        if alpha:
            tensors[f"{key}.alpha"] = torch.tensor(one.alpha)
    return tensors


def dotted(lora: list[Matrices], sides=("lora_A.weight", "lora_B.weight"), start: str = "{part}."):
    "Tensors by dotted names, after a beginning that may name the part."
    tensors = {}
    for one in lora:
        key = start.format(part=one.place[0]) + long_name(one.place)
        tensors |= {f"{key}.{sides[0]}": one.down, f"{key}.{sides[1]}": one.up}
    return tensors


def processors(lora: list[Matrices]):
    "diffusers' attention processors of old; of attention layers alone."
    tensors = {}
    for one in lora:
        layer, _, side = long_name(one.place).removesuffix(".0").rpartition(".")
        for way, matrix in (("down", one.down), ("up", one.up)):
            tensors[f"{one.place[0]}.{layer}.processor.{side}_lora.{way}.weight"] = matrix
    return tensors


def twin(base, dtype=torch.float32):
    "The base's pipeline with networks of its own."
    pipeline = copy.copy(base.pipeline)
    for name, part in base.pipeline.components.items():
        if isinstance(part, torch.nn.Module) and name != "vae":
            setattr(pipeline, name, copy.deepcopy(part).to(dtype))
        if name.startswith("tokenizer"):
            setattr(pipeline, name, copy.deepcopy(part))
    return pipeline


def state(pipeline) -> dict[str, torch.Tensor]:
    "Every tensor of the networks that adapters change."
    parts = [
        part
        for part in ("unet", "text_encoder", "text_encoder_2")
        if getattr(pipeline, part, None) is not None
    ]
    return {
        f"{part}.{k}": v.clone() for part in parts for k, v in getattr(pipeline, part).state_dict().items()
    }


def packed(tensors, **facts) -> bytes:
    return pack_tensors({name: tensor.clone() for name, tensor in tensors.items()}, facts)


def check_moves(base, pipeline, wanted: dict[tuple[str, str], torch.Tensor], limit: float = 1e-6) -> None:
    "The tensors that changed are the wanted layers' and no others, and each by what it should."
    before, after = state(base.pipeline), state(pipeline)
    changed = {name for name in before if not torch.equal(before[name], after[name].to(before[name]))}
    assert changed == {f"{part}.{layer}.weight" for part, layer in wanted}
    for (part, layer), delta in wanted.items():
        name = f"{part}.{layer}.weight"
        full = before[name].double() + delta
        error = float((after[name].double() - full).abs().max() / full.abs().max())
        assert error <= limit, (name, error)

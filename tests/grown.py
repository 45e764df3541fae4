"Tiny random networks of the kinds that stand beside a base: upscalers, ControlNets, IP-Adapters, image encoders."

import hashlib
from io import BytesIO

import numpy as np
import torch
from PIL import Image

from artmint.make.adapters import pack_tensors
from artmint.make.control import pack_network


def png(image: Image.Image) -> bytes:
    "A picture's plain file."
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def far(image, other) -> int:
    "Largest difference of two pictures, in grey levels."
    return int(np.abs(np.asarray(image).astype(int) - np.asarray(other)).max())


def edges(width: int, height: int, seed: int = 0) -> Image.Image:
    "A drawing of lines, as ControlNets follow."
    rng = np.random.default_rng(seed)
    lines = np.zeros((height, width, 3), np.uint8)
    lines[:: int(rng.integers(3, 7))] = 255
    lines[:, :: int(rng.integers(3, 7))] = 200
    return Image.fromarray(lines)


def disc(side: int, grey: bool = False) -> Image.Image:
    "A mask: a white disc on black, with a grey rim when asked."
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    shade = (np.hypot(x, y) < side / 3) * 255
    rim = (np.hypot(x, y) < side / 2.4) * 96 if grey else 0
    values = np.maximum(shade, rim).astype(np.uint8)
    return Image.fromarray(np.repeat(values[..., None], 3, 2))


def compact(seed: int = 0, scale: int = 4, size: float = 0.2, features: int = 4) -> bytes:
    "A network of Real-ESRGAN's compact kind; of size 0 it repeats each pixel."
    own = torch.Generator().manual_seed(seed)
    last = 3 * scale**2
    shapes = {"0.weight": (features, 3, 3, 3), "0.bias": (features,), "1.weight": (features,)}
    shapes |= {"2.weight": (last, features, 3, 3), "2.bias": (last,)}
    return pack_tensors({f"body.{n}": size * torch.randn(s, generator=own) for n, s in shapes.items()}, {})


def control(unet, seed: int = 0, shrinks: int = 1, **more):
    "A ControlNet for a UNet whose sums aren't zero, as they are before training."
    from diffusers import ControlNetModel

    torch.manual_seed(seed)
    channels = (16, 32, 96, 256)[: shrinks + 1]
    made = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=channels, **more)
    with torch.no_grad():
        for part in (
            made.controlnet_down_blocks,
            made.controlnet_mid_block,
            made.controlnet_cond_embedding.conv_out,
        ):
            for values in part.parameters():
                values.normal_(0, 0.2)
    return made.eval()


def control_file(made) -> bytes:
    "A ControlNet as a studio keeps it."
    return pack_network(made.state_dict(), {**made.config, "_class_name": "ControlNetModel"})


def vision(seed: int = 0, **more):
    "An image encoder."
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(seed)
    sizes = dict(hidden_size=32, intermediate_size=37, num_hidden_layers=3, num_attention_heads=4)
    config = CLIPVisionConfig(**sizes | dict(image_size=30, patch_size=6, projection_dim=24) | more)
    return CLIPVisionModelWithProjection(config).eval()


def encoder_file(made) -> bytes:
    "An image encoder as a studio keeps it."
    return pack_network(made.state_dict(), made.config.to_dict())


def ip_adapter(unet, seed: int = 0, seen: int = 24, plus: bool = False) -> bytes:
    "An IP-Adapter for a UNet: plain, or of the plus kind, which reads the encoder's last states but one."
    own = torch.Generator().manual_seed(seed)
    width = unet.config.cross_attention_dim
    shapes = {"image_proj.proj.weight": (4 * width, seen), "image_proj.proj.bias": (4 * width,)}
    shapes |= {"image_proj.norm.weight": (width,), "image_proj.norm.bias": (width,)}
    if plus:
        shapes = _resampler(width, seen)
    for number, name in enumerate(name for name in unet.attn_processors if "attn2" in name):
        rows = unet.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0]
        shapes |= {
            f"ip_adapter.{2 * number + 1}.{side}.weight": (rows, width) for side in ("to_k_ip", "to_v_ip")
        }
    return pack_tensors({n: 0.3 * torch.randn(s, generator=own) for n, s in shapes.items()}, {})


def _resampler(width: int, seen: int) -> dict[str, tuple[int, ...]]:
    "Shapes of a plus adapter's projection, which is always four layers deep."
    inner, heads = 64, 64
    shapes = {"latents": (1, 4, inner), "proj_in.weight": (inner, seen), "proj_in.bias": (inner,)}
    shapes |= {"proj_out.weight": (width, inner), "proj_out.bias": (width,)}
    shapes |= {"norm_out.weight": (width,), "norm_out.bias": (width,)}
    for i in range(4):
        for name in ("norm1", "norm2"):
            shapes |= {f"layers.{i}.0.{name}.weight": (inner,), f"layers.{i}.0.{name}.bias": (inner,)}
        shapes |= {
            f"layers.{i}.0.to_q.weight": (heads, inner),
            f"layers.{i}.0.to_kv.weight": (2 * heads, inner),
        }
        shapes |= {f"layers.{i}.0.to_out.weight": (inner, heads)}
        shapes |= {f"layers.{i}.1.0.weight": (inner,), f"layers.{i}.1.0.bias": (inner,)}
        shapes |= {f"layers.{i}.1.1.weight": (4 * inner, inner), f"layers.{i}.1.3.weight": (inner, 4 * inner)}
    return {f"image_proj.{name}": shape for name, shape in shapes.items()}


class Files(dict):
    "A studio's files, by their digests."

    def put(self, image: Image.Image) -> str:
        data = png(image)
        digest = hashlib.sha256(data).hexdigest()
        self[digest] = data
        return digest

    def __call__(self, digest: str) -> bytes:
        return self[digest]

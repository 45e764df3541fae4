"Tiny random models of the classes that studios use; their sizes are diffusers' own smallest."

from pathlib import Path

import torch

from artmint.make.base import DATA_FOLDER


def words():
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(DATA_FOLDER / "base" / "tokenizer")


def pieces():
    "A T5 tokenizer of single letters."
    from transformers import T5TokenizerFast

    letters = [
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        *((c, -3.0) for c in "▁abcdefghijklmnopqrstuvwxyz,."),
    ]
    return T5TokenizerFast(vocab=letters, extra_ids=0, model_max_length=48)


def clip(projected: bool = False, **more):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    own = words()
    config = CLIPTextConfig(
        vocab_size=len(own),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=32,
        projection_dim=32,
        bos_token_id=own.bos_token_id,
        eos_token_id=own.eos_token_id,
        pad_token_id=own.pad_token_id,
        **more,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def t5():
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(
            vocab_size=64,
            d_model=32,
            d_kv=8,
            d_ff=37,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
        )
    ).eval()


def vae(channels: int = 4, **more):
    from diffusers import AutoencoderKL

    options = dict(
        block_out_channels=(32, 64),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
    )
    return AutoencoderKL(**options | more).eval()


def unet(**more):
    from diffusers import UNet2DConditionModel

    options = dict(
        sample_size=16,
        block_out_channels=(32, 64),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
        norm_num_groups=8,
    )
    return UNet2DConditionModel(**options | more).eval()


def sd1():
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    return StableDiffusionPipeline(
        vae=vae(),
        text_encoder=clip(),
        tokenizer=words(),
        unet=unet(),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sd2():
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
    )
    heads = unet(attention_head_dim=(4, 8), use_linear_projection=True)
    return StableDiffusionPipeline(
        vae=vae(),
        text_encoder=clip(hidden_act="gelu"),
        tokenizer=words(),
        unet=heads,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl():
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    large = unet(
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=80,
        cross_attention_dim=64,
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )
    return StableDiffusionXLPipeline(
        vae=vae(),
        text_encoder=clip(),
        text_encoder_2=clip(projected=True, hidden_act="gelu"),
        tokenizer=words(),
        tokenizer_2=words(),
        unet=large,
        scheduler=scheduler,
    )


def flux():
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
    ).eval()
    latents = vae(
        1, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.0609, scaling_factor=1.5035
    )
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=latents,
        text_encoder=clip(),
        tokenizer=words(),
        text_encoder_2=t5(),
        tokenizer_2=pieces(),
        transformer=transformer,
    )


def sd3():
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    transformer = SD3Transformer2DModel(
        sample_size=32,
        patch_size=1,
        in_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=32,
        pooled_projection_dim=64,
        out_channels=4,
    ).eval()
    latents = vae(
        4, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.0609, scaling_factor=1.5035
    )
    return StableDiffusion3Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=latents,
        text_encoder=clip(projected=True),
        tokenizer=words(),
        text_encoder_2=clip(projected=True, hidden_act="gelu"),
        tokenizer_2=words(),
        text_encoder_3=t5(),
        tokenizer_3=pieces(),
        transformer=transformer,
    )


FAMILIES = {"sd1": sd1, "sd2": sd2, "sdxl": sdxl, "flux": flux, "sd3": sd3}


def saved(name: str, folder: Path) -> Path:
    "A family's tiny model as a diffusers folder; the same weights every time."
    torch.manual_seed(0)
    FAMILIES[name]().save_pretrained(folder, safe_serialization=True)
    return folder


# ---------------------------------------------------------------- the layout that single files have
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def _unet_name(name: str, layers: int = 2) -> str:
    "A tensor of UNet2DConditionModel by the name that the original Stable Diffusion gives it."
    for ours, theirs in ENDS.items():
        if name.startswith(ours + "."):
            return name.replace(ours, theirs, 1)
    part, *rest = name.split(".")
    if part == "mid_block":
        kind, i, *rest = rest
        place = f"middle_block.{2 * int(i) if kind == 'resnets' else 1}"
    else:
        level, kind, i, *rest = rest
        first = int(level) * (layers + 1)
        if part == "down_blocks":
            place = f"input_blocks.{first + int(i) + 1}.{int(kind == 'attentions')}"
            if kind == "downsamplers":
                place = f"input_blocks.{first + layers + 1}.0.op"
        else:
            place = f"output_blocks.{first + int(i)}.{int(kind == 'attentions')}"
            if kind == "upsamplers":
                place = f"output_blocks.{first + layers}.{2 if level == '0' else 1}.conv"
        if kind.endswith("samplers"):
            rest = rest[1:]
    if kind == "resnets":
        rest[0] = RESNET[rest[0]]
    return ".".join([place, *rest])


def _vae_name(name: str, levels: int = 2) -> str:
    "A tensor of AutoencoderKL by its original name."
    swaps = [
        ("mid_block.resnets.0", "mid.block_1"),
        ("mid_block.resnets.1", "mid.block_2"),
        ("mid_block.attentions.0", "mid.attn_1"),
        ("conv_shortcut", "nin_shortcut"),
        ("conv_norm_out", "norm_out"),
        ("group_norm", "norm"),
        ("to_q", "q"),
        ("to_k", "k"),
        ("to_v", "v"),
        ("to_out.0", "proj_out"),
    ]
    for i in range(levels):
        up = levels - 1 - i
        swaps += [(f"down_blocks.{i}.resnets", f"down.{i}.block")]
        swaps += [(f"down_blocks.{i}.downsamplers.0", f"down.{i}.downsample")]
        swaps += [(f"up_blocks.{i}.resnets", f"up.{up}.block")]
        swaps += [(f"up_blocks.{i}.upsamplers.0", f"up.{up}.upsample")]
    for ours, theirs in swaps:
        name = name.replace(ours, theirs)
    return name


def single_file(pipe, path: Path) -> Path:
    "A StableDiffusionPipeline as one file in the original layout."
    from safetensors.torch import save_file

    state = {f"model.diffusion_model.{_unet_name(k)}": v for k, v in pipe.unet.state_dict().items()}
    for k, v in pipe.vae.state_dict().items():
        square = "mid_block.attentions" in k and "group_norm" not in k and k.endswith("weight")
        state[f"first_stage_model.{_vae_name(k)}"] = v[:, :, None, None] if square else v
    for k, v in pipe.text_encoder.state_dict().items():
        state[f"cond_stage_model.transformer.text_model.{k.removeprefix('text_model.')}"] = v
    save_file({k: v.contiguous().clone() for k, v in state.items()}, path)
    return path


def refusals_of(base, recipes) -> list[str]:
    "What a base has against recipes, each sentence once."
    from artmint.core.canon import Refusal
    from artmint.make.render import check

    sentences = []
    for recipe in recipes:
        try:
            check(base, [recipe])
        except Refusal as refusal:
            sentences.append(str(refusal))
    return list(dict.fromkeys(sentences))

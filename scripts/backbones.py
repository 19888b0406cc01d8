#!/usr/bin/env python3
"""Write tiny models with drawn weights, and what transformers makes of a picture and a text with them.

usage: backbones.py FOLDER

Needs torch and transformers from PyPI (2.7.1 and 4.57.6 wrote crates/nn/tests/data/backbones). Each folder is what `nn::backbone` reads; `expected.json` holds the text and the features. The picture is
made by a rule that the test repeats, in the model's own size, so that no resizing comes between.
"""

import json
import sys
from pathlib import Path

import numpy
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

TEXT = "put the red cube in the bin"
WORDS = "put the red cube in bin green fridge open".split()


def drawn(model, seed):
    """Weights that keep sizes of activations, where those of a fresh model are nearly all 0."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in sorted(model.named_parameters()):
        values = torch.randn(weight.shape, generator=generator)
        if weight.ndim > 1:
            fan_in = weight[0].numel()
            values = values / (1.0 if "embed" in name else fan_in**0.5)
        else:
            values = 0.2 * values
            # Gemma keeps its norms' scales less 1.
            is_scale = "norm" in name and name.endswith("weight")
            if is_scale and not ("gemma" in type(model).__name__.lower() and "vision" not in name):
                values = values + 1.0
        weight.data = values
    return model.eval()


def tokenizer(folder, special, around):
    """A word is a token; `around` is a template. What ends a text has the highest number, as CLIP wants it."""
    end = [token for token in around[1:] if token != "$A"]
    vocabulary = [token for token in special if token not in end] + WORDS + end
    vocabulary = {word: at for at, word in enumerate(vocabulary)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "removed")]
    )
    if "<image>" in special:
        made.add_special_tokens(["<image>"])
    if len(around) > 1:
        pairs = [(token, vocabulary[token]) for token in around if token != "$A"]
        made.post_processor = processors.TemplateProcessing(single=" ".join(around), special_tokens=pairs)
    made.save(str(folder / "tokenizer.json"))
    return made, len(vocabulary)


def picture(size, mean, std):
    """`[1, 3, H, W]`."""
    at = numpy.arange(size * size * 3)
    pixels = (at * 31 + at // 7 + 11) % 251
    pixels = pixels.reshape(size, size, 3).astype(numpy.float64) / 255.0
    pixels = (pixels - numpy.array(mean)) / numpy.array(std)
    return torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32)


def write(folder, model, features):
    model.save_pretrained(folder, safe_serialization=True)
    (folder / "generation_config.json").unlink(missing_ok=True)
    expected = {
        "transformers": transformers.__version__,
        "text": TEXT,
        "features": [round(float(value), 7) for value in features.flatten()],
    }
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


HALF = ([0.5] * 3, [0.5] * 3)
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
LAYERS = dict(num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, hidden_size=16)


def siglip(folder):
    words, n = tokenizer(folder, ["<pad>", "<unk>", "</s>"], ["$A"])
    config = transformers.SiglipConfig(
        text_config=dict(LAYERS, vocab_size=n, max_position_embeddings=12, pad_token_id=0),
        vision_config=dict(LAYERS, image_size=16, patch_size=8),
    )
    model = drawn(transformers.SiglipModel(config), 1)
    ids = words.encode(TEXT).ids
    ids = torch.tensor([ids + [0] * (12 - len(ids))])
    out = model(input_ids=ids, pixel_values=picture(16, *HALF))
    write(folder, model, torch.cat([out.image_embeds, out.text_embeds], 1))


def clip(folder):
    words, n = tokenizer(folder, ["<unk>", "<start>", "<end>"], ["<start>", "$A", "<end>"])
    config = transformers.CLIPConfig(
        text_config=dict(LAYERS, vocab_size=n, max_position_embeddings=12, eos_token_id=n - 1),
        vision_config=dict(LAYERS, image_size=16, patch_size=8),
        projection_dim=20,
    )
    model = drawn(transformers.CLIPModel(config), 2)
    ids = torch.tensor([words.encode(TEXT).ids])
    out = model(input_ids=ids, pixel_values=picture(16, *CLIP))
    write(folder, model, torch.cat([out.image_embeds, out.text_embeds], 1))


def paligemma(folder):
    special = ["<pad>", "<unk>", "<bos>", "<image>", "\n"]
    words, n = tokenizer(folder, special, ["<bos>", "$A"])
    text = dict(LAYERS, vocab_size=n, head_dim=8, num_key_value_heads=1, model_type="gemma")
    config = transformers.PaliGemmaConfig(
        text_config=text,
        vision_config=dict(LAYERS, image_size=16, patch_size=8, model_type="siglip_vision_model"),
        image_token_index=special.index("<image>"),
        projection_dim=16,
    )
    model = drawn(transformers.PaliGemmaForConditionalGeneration(config), 3)
    ids = torch.tensor([[special.index("<image>")] * 4 + words.encode(TEXT + "\n").ids])
    out = model.model(input_ids=ids, pixel_values=picture(16, *HALF), attention_mask=torch.ones_like(ids))
    states = out.last_hidden_state
    write(folder, model, torch.cat([states[:, :4].mean(1), states[:, -1]], 1))


def llava(folder):
    special = ["<unk>", "<s>", "<image>", "\n", "USER:", "ASSISTANT:"]
    words, n = tokenizer(folder, special, ["<s>", "$A"])
    image = special.index("<image>")
    config = transformers.LlavaConfig(
        text_config=dict(LAYERS, vocab_size=n, num_key_value_heads=1, model_type="llama"),
        vision_config=dict(LAYERS, image_size=16, patch_size=8, model_type="clip_vision_model"),
        image_token_index=image,
    )
    model = drawn(transformers.LlavaForConditionalGeneration(config), 4)
    ids = words.encode(f"USER: <image>\n{TEXT} ASSISTANT:").ids
    at = ids.index(image)
    ids = torch.tensor([ids[:at] + [image] * 4 + ids[at + 1 :]])
    out = model.model(input_ids=ids, pixel_values=picture(16, *CLIP), attention_mask=torch.ones_like(ids))
    write(folder, model, out.last_hidden_state[:, -1])


if __name__ == "__main__":
    for make in [siglip, clip, paligemma, llava]:
        to = Path(sys.argv[1]) / make.__name__
        to.mkdir(parents=True, exist_ok=True)
        with torch.no_grad():
            make(to)

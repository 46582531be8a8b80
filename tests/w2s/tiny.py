"""A Llama of two or more tiny layers with random weights and a tokeniser of words, saved where the loader looks."""

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from workers.w2s.spec import ModelSpec

WORDS = [
    "Question",
    "Answer",
    ":",
    "\n",
    "?",
    "is",
    "the",
    "of",
    "True",
    "False",
    "red",
    "green",
    "blue",
    "hot",
    "cold",
]
SHADES = [f"w{i}" for i in range(40)]


def save_tiny(cache_dir: Path, *, name: str = "tiny/llama", layers: int = 2, seed: int = 0) -> ModelSpec:
    """Write the model under cache_dir/models/hf and return its spec."""
    folder = cache_dir / "models" / "hf" / name
    vocabulary = {word: i for i, word in enumerate(["<unk>", *WORDS, *SHADES])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Split(" ", behavior="removed")
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(folder)
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        initializer_range=0.2,
        tie_word_embeddings=True,
    )
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return ModelSpec("hf", name)

"""A tiny BERT with random weights, as the files that a real one has: for tests of whatever reads an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("red", "blue", "cup", "mug", "lamp", "garden", "chair", "bowl", "set", "of", *"0123456789")


def write(folder: Path, *, words: Sequence[str] = WORDS, seed: int = 0) -> Path:
    """Two layers, two heads, 32 dimensions. Needs torch, transformers and tokenizers."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    every = [*MARKS, *words, *(f"##{digit}" for digit in range(10))]
    config = BertConfig(
        vocab_size=len(every), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(every)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, model_max_length=64, **dict(zip(names, MARKS, strict=True))
    )
    fast.save_pretrained(folder)
    return folder

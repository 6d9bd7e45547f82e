"""A small BERT with random weights, the same on every machine."""

import numpy as np
from numpy.typing import NDArray


def _shapes(
    tokens: int, width: int, hidden: int, layers: int, positions: int
) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {
        "embeddings.LayerNorm.bias": (width,),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.position_embeddings.weight": (positions, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.word_embeddings.weight": (tokens, width),
    }
    for number in range(layers):
        parts = {
            "attention.output.LayerNorm": (width,),
            "attention.output.dense": (width, width),
            "attention.self.key": (width, width),
            "attention.self.query": (width, width),
            "attention.self.value": (width, width),
            "intermediate.dense": (hidden, width),
            "output.LayerNorm": (width,),
            "output.dense": (width, hidden),
        }
        for part, shape in parts.items():
            found[f"encoder.layer.{number}.{part}.bias"] = shape[:1]
            found[f"encoder.layer.{number}.{part}.weight"] = shape
    return found


def small_bert(
    *, tokens: int = 20, width: int = 8, hidden: int = 16, layers: int = 2, positions: int = 12
) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(5)
    tensors = {}
    for name, shape in sorted(_shapes(tokens, width, hidden, layers, positions).items()):
        values = rng.standard_normal(shape) * 0.5
        gain = name.endswith("LayerNorm.weight")
        tensors[name] = (1 + values * 0.2 if gain else values).astype(np.float32)
    return tensors

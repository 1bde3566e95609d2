"""How a cap on memory is split where a model's experts don't all fit: most of it is their pool."""

from dataclasses import asdict, dataclass
from typing import Any

from ostro.config.arithmetic import expert_bytes, weight_bytes
from ostro.config.geometry import Geometry
from ostro.config.weight_types import WeightType

# What Python, the tokenizer and the libraries grow by after a model was planned; measured.
PROCESS_GROWTH = 64 << 20


@dataclass(frozen=True, kw_only=True)
class MemorySplit:
    """Bytes of a process that may hold ``cap_bytes``, file pages included."""

    cap_bytes: int
    process_bytes: int
    """Python, PyTorch and the libraries."""
    workspace_bytes: int
    kv_bytes: int
    shared_weight_bytes: int
    """Embedding, attention and head, which every token reads: always in memory."""
    expert_bytes: int
    """One expert: gate, up and down."""
    num_experts: int
    """Of all layers."""
    experts_a_layer: int
    experts_a_token: int
    """Of all layers."""

    @property
    def slots(self) -> int:
        """How many experts fit beside the rest; at most all."""
        room = self.cap_bytes - self._without_experts
        return max(0, min(room // self.expert_bytes, self.num_experts))

    @property
    def pool_bytes(self) -> int:
        """What the experts in memory take."""
        return self.slots * self.expert_bytes

    @property
    def spare_bytes(self) -> int:
        """What is left of the cap beside everything, if all experts are in memory."""
        return max(0, self.cap_bytes - self._without_experts - self.pool_bytes) * self.holds_all

    @property
    def holds_all(self) -> bool:
        """Whether nothing has to stay on disk."""
        return self.slots == self.num_experts

    @property
    def smallest_cap(self) -> int:
        """The least memory that works: a prompt may want all experts of one layer at once."""
        return self._without_experts + self.experts_a_layer * self.expert_bytes

    @property
    def smallest_memory(self) -> str:
        """The same as ``--memory`` takes it."""
        return f"{-(-self.smallest_cap // 2**20)}MiB"

    @property
    def fits(self) -> bool:
        """Whether the cap is enough."""
        return self.slots >= self.experts_a_layer

    @property
    def read_bytes_per_token(self) -> float:
        """Bytes from disk for a token, if experts were chosen evenly and independently."""
        missing = 1 - self.slots / self.num_experts
        return missing * self.experts_a_token * self.expert_bytes

    @property
    def _without_experts(self) -> int:
        return self.process_bytes + self.workspace_bytes + self.kv_bytes + self.shared_weight_bytes

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {
            "slots": self.slots,
            "pool_bytes": self.pool_bytes,
            "smallest_cap": self.smallest_cap,
            "read_bytes_per_token": round(self.read_bytes_per_token),
        }


def split_memory(
    geometry: Geometry,
    compute: WeightType,
    *,
    cap_bytes: int,
    process_bytes: int,
    workspace_bytes: int,
    kv_bytes: int,
    weights: int | None = None,
    expert: int | None = None,
) -> MemorySplit:
    """Split ``cap_bytes``. ``weights`` and ``expert`` are exact sizes where they are known."""
    layers, a_layer = geometry.num_layers, max(geometry.num_experts, 1)
    one = expert_bytes(geometry, compute) if expert is None else expert
    all_weights = weight_bytes(geometry, compute) if weights is None else weights
    return MemorySplit(
        cap_bytes=cap_bytes,
        process_bytes=process_bytes,
        workspace_bytes=workspace_bytes,
        kv_bytes=kv_bytes,
        shared_weight_bytes=max(all_weights - layers * a_layer * one, 0),
        expert_bytes=one,
        num_experts=layers * a_layer,
        experts_a_layer=a_layer,
        experts_a_token=layers * max(geometry.top_k, 1),
    )

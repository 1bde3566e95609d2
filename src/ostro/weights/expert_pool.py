"""Experts on disk, and a fixed number of them in memory: more model than memory.

A slot holds one expert's record. Whoever was used longest ago makes room. Reads run on threads of
their own, so that what the next layer will want is on its way while this one computes; as soon as
that layer's choice is known, what was guessed wrongly is read no further.
"""

import os
import weakref
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ostro.errors import OstroError
from ostro.kernels.native import ExpertArray
from ostro.kernels.structures import Expert
from ostro.runtime.background_reads import BackgroundRead, BackgroundReader
from ostro.runtime.direct_reads import ALIGNMENT, DirectFile, PageMemory
from ostro.weights.prepared import PreparedWeights, Record, RecordKey


@dataclass
class PoolMetrics:
    """What happened since the pool was made, or since a copy of this was taken."""

    tokens: int = 0
    lookups: int = 0
    """Experts that a layer wanted, each once a step."""
    hits: int = 0
    """Of those, the ones that were in memory already."""
    bytes_read: int = 0
    prefetches: int = 0
    """Reads that began before their layer's turn."""
    prefetches_used: int = 0
    """Of those, the ones that the layer did want."""

    @property
    def hit_rate(self) -> float:
        """Share of wanted experts that were in memory."""
        return self.hits / self.lookups if self.lookups else 1.0

    @property
    def bytes_per_token(self) -> float:
        """Bytes read from disk, a token."""
        return self.bytes_read / self.tokens if self.tokens else 0.0

    @property
    def prefetch_accuracy(self) -> float:
        """Share of early reads that were wanted."""
        return self.prefetches_used / self.prefetches if self.prefetches else 0.0


class ExpertPool:
    """Slots for experts, least recently used first out. One caller at a time."""

    def __init__(self, weights: PreparedWeights, slots: int) -> None:
        self._weights, self.num_slots = weights, slots
        self._slot_bytes = slot_bytes(weights.records)
        self._memory = PageMemory(slots * self._slot_bytes)
        self._file = DirectFile(weights.path)
        weakref.finalize(self, self._file.close)
        self._arrays: dict[int, ExpertArray] = {}
        self._free = list(range(slots))
        self._resident: OrderedDict[RecordKey, int] = OrderedDict()  # The oldest use comes first.
        self._reading: dict[RecordKey, tuple[int, BackgroundRead]] = {}
        self._checked: set[RecordKey] = set()
        self._early: set[RecordKey] = set()
        self._pinned: set[RecordKey] = set()
        self._reader, self._process = BackgroundReader(self._file), os.getpid()
        self.metrics = PoolMetrics()

    def add_layer(self, layer: int, experts: ExpertArray) -> None:
        """Keep a layer's descriptors: they have data while their expert is in a slot."""
        self._arrays[layer] = experts

    def hold(self, layer: int, numbers: Iterable[int]) -> None:
        """Bring experts into memory, where they stay until the next call of this."""
        wanted = [RecordKey("expert", layer, number) for number in numbers]
        self._pinned = set(wanted)
        self._after_fork()
        self._collect()
        self._stop_others()
        for key in wanted:
            self.metrics.lookups += 1
            if key in self._early:
                self._early.discard(key)
                self.metrics.prefetches_used += 1
            if key in self._resident:
                self.metrics.hits += 1
                self._resident.move_to_end(key)
            elif key not in self._reading:
                self._start(key, self._room())
        for key in wanted:
            if key in self._reading:
                self._finish(key)

    def prefetch(self, layer: int, numbers: Iterable[int]) -> None:
        """Begin to read experts that may be wanted next, as far as there is room for them."""
        keys = [RecordKey("expert", layer, number) for number in numbers]
        for key in keys:
            if key in self._resident:
                self._resident.move_to_end(key)
        for key in keys:
            if key in self._resident or key in self._reading:
                continue
            slot = self._spare_slot(keep=keys)
            if slot is None:
                return
            self._start(key, slot)
            self._early.add(key)
            self.metrics.prefetches += 1

    def _start(self, key: RecordKey, slot: int) -> None:
        record = self._weights.record(key)
        size = -(-record.bytes // ALIGNMENT) * ALIGNMENT
        start = slot * self._slot_bytes
        memory = self._memory.view[start : start + size]
        self._reading[key] = slot, self._reader.start(memory, record.offset)

    def _collect(self) -> None:
        """Take in early reads that are done. One that failed is forgotten: nobody waits for it."""
        for key, (_, read) in list(self._reading.items()):
            if read.done and not read.failed:
                self._finish(key)

    def _stop_others(self) -> None:
        """Read no further what is not wanted after all, or what failed."""
        for key, (slot, read) in list(self._reading.items()):
            if key not in self._pinned or (read.done and read.failed):
                self.metrics.bytes_read += read.stop()
                del self._reading[key]
                self._early.discard(key)
                self._free.append(slot)

    def _finish(self, key: RecordKey) -> None:
        """Wait for a read, check what came the first time, and set the descriptor."""
        slot, read = self._reading[key]
        try:
            read.result()
        except OstroError:
            del self._reading[key]
            self._free.append(slot)
            raise
        del self._reading[key]
        self.metrics.bytes_read += self._weights.record(key).bytes
        address = self._memory.address + slot * self._slot_bytes
        if key not in self._checked:
            self._weights.mend_at(key, address)
            self._checked.add(key)
        self._resident[key] = slot
        self._array(key)[key.expert] = Expert(*self._weights.matrices_at(key, address))

    def _room(self) -> int:
        """A slot for what is wanted now."""
        slot = self._spare_slot(keep=())
        if slot is None:
            raise OstroError(
                f"{len(self._pinned)} experts are wanted at once and memory holds "
                f"{self.num_slots}; give a larger --memory"
            )
        return slot

    def _spare_slot(self, keep: Collection[RecordKey]) -> int | None:
        """A free slot, or that of the expert used longest ago which may go."""
        if self._free:
            return self._free.pop()
        for key in self._resident:
            if key not in self._pinned and key not in keep:
                self._array(key)[key.expert] = Expert(*self._weights.matrices_at(key, None))
                self._early.discard(key)
                return self._resident.pop(key)
        return None

    def _array(self, key: RecordKey) -> ExpertArray:
        return self._arrays[key.layer]

    def _after_fork(self) -> None:
        """A fork copies this object but not its threads: what they were reading is read again."""
        if self._process == os.getpid():
            return
        self._reader, self._process = BackgroundReader(self._file), os.getpid()
        self._free += [slot for slot, _ in self._reading.values()]
        self._reading.clear()


def slot_bytes(records: Sequence[Record]) -> int:
    """What a slot takes: the largest expert's record in whole pages."""
    sizes = [record.bytes for record in records if record.key.kind == "expert"]
    return -(-max(sizes) // ALIGNMENT) * ALIGNMENT

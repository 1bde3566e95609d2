"""Published files of Mixtral and Mistral Instruct: what there is to download, and how good it is.

``ostro chat mixtral`` offers these. Sizes are exact where the source gives bytes, else to the
digits that it gives. A perplexity stands where someone published one: on WikiText-2's test set, by
llama.cpp with a context of 512; compare them within a model only.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ostro.config.weight_types import WEIGHT_TYPES, WeightType
from ostro.errors import OstroError

_ACCOUNT = "asks for an account: accept the terms on its page, then set HF_TOKEN"
_SPLIT_EXPERTS = "a tensor for each expert, as in 2023; llama.cpp refuses such files today"
_PARTS = "in parts, which are read as one"


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """One way to get a model's weights."""

    model: str
    """The model's published name."""
    preset: str
    """The preset that has its geometry."""
    hub_id: str
    """The repository."""
    files: tuple[str, ...] = ()
    """Files of it to take; none means all that the model needs."""
    quantisation: str
    """As published: a weight type, or a mix of types such as ``Q4_K_M``."""
    bytes: int
    perplexity: float | None = None
    note: str = ""

    @property
    def weight_type(self) -> WeightType:
        """The type that most matrices of the mix are in."""
        for suffix in ("", "_S", "_M", "_L"):
            name = self.quantisation.removesuffix(suffix)
            if name in WEIGHT_TYPES:
                return WEIGHT_TYPES[name]
        raise AssertionError(self.quantisation)

    @property
    def needs_account(self) -> bool:
        """Whether the hub gives it only to those who accepted its terms."""
        return self.note == _ACCOUNT

    @property
    def pull_id(self) -> str:
        """What ``ostro pull`` takes; the first of several parts brings the others."""
        return f"{self.hub_id}/{self.files[0]}" if self.files else self.hub_id


def published(name: str) -> list[PublishedFile]:
    """All files known for ``mixtral``, ``mixtral-8x22b`` or ``mistral``, smallest first."""
    if name not in CATALOGUE:
        raise OstroError(f"no published files known for {name!r}; known: {', '.join(CATALOGUE)}")
    return sorted(CATALOGUE[name], key=lambda file: file.bytes)


def choose(
    files: Iterable[PublishedFile],
    memory_bytes: int,
    required: Callable[[PublishedFile], int],
) -> PublishedFile | None:
    """The best file that fits into ``memory_bytes``, or None.

    ``required`` says how many bytes a file takes once it is loaded. The largest is the best, and
    of two of one size the one with the lower perplexity.
    """
    fitting = [file for file in files if required(file) <= memory_bytes]
    return max(fitting, key=_quality, default=None)


def _quality(file: PublishedFile) -> tuple[int, float]:
    return file.bytes, -(file.perplexity or float("inf"))


def _mixtral_2023(quantisation: str, size: int, perplexity: float) -> PublishedFile:
    return PublishedFile(
        model="Mixtral-8x7B-Instruct-v0.1",
        preset="mixtral-8x7b",
        hub_id="TheBloke/Mixtral-8x7B-Instruct-v0.1-GGUF",
        files=(f"mixtral-8x7b-instruct-v0.1.{quantisation}.gguf",),
        quantisation=quantisation,
        bytes=size,
        perplexity=perplexity,
        note=_SPLIT_EXPERTS,
    )


def _mixtral_2024(quantisation: str, size: int) -> PublishedFile:
    return PublishedFile(
        model="Mixtral-8x7B-Instruct-v0.1",
        preset="mixtral-8x7b",
        hub_id="MaziyarPanahi/Mixtral-8x7B-Instruct-v0.1-GGUF",
        files=(f"Mixtral-8x7B-Instruct-v0.1.{quantisation}.gguf",),
        quantisation=quantisation,
        bytes=size,
    )


def _mixtral_8x22b(quantisation: str, size: int, parts: int) -> PublishedFile:
    stem = f"Mixtral-8x22B-Instruct-v0.1.{quantisation}"
    return PublishedFile(
        model="Mixtral-8x22B-Instruct-v0.1",
        preset="mixtral-8x22b",
        hub_id="MaziyarPanahi/Mixtral-8x22B-Instruct-v0.1-GGUF",
        files=tuple(f"{stem}-{part:05}-of-{parts:05}.gguf" for part in range(1, parts + 1)),
        quantisation=quantisation,
        bytes=size,
        note=_PARTS,
    )


def _mistral(quantisation: str, size: int) -> PublishedFile:
    return PublishedFile(
        model="Mistral-7B-Instruct-v0.3",
        preset="mistral-7b",
        hub_id="MaziyarPanahi/Mistral-7B-Instruct-v0.3-GGUF",
        files=(f"Mistral-7B-Instruct-v0.3.{quantisation}.gguf",),
        quantisation=quantisation,
        bytes=size,
    )


def _original(model: str, preset: str, size: int) -> PublishedFile:
    return PublishedFile(
        model=model,
        preset=preset,
        hub_id=f"mistralai/{model}",
        quantisation="BF16",
        bytes=size,
        note=_ACCOUNT,
    )


_MIXTRAL = (
    # Files: https://huggingface.co/TheBloke/Mixtral-8x7B-Instruct-v0.1-GGUF. Sizes and
    # perplexities: the Instruct model quantised by the same llama.cpp of December 2023, table of
    # 2023-12-16 in https://github.com/ggml-org/llama.cpp/pull/4406 (sizes there in GiB).
    _mixtral_2023("Q2_K", 15_640_000_000, 7.0648),
    _mixtral_2023("Q3_K_M", 20_360_000_000, 4.6644),
    _mixtral_2023("Q4_0", 26_440_000_000, 4.5087),
    _mixtral_2023("Q4_K_M", 26_441_533_376, 4.5111),
    _mixtral_2023("Q5_0", 32_230_000_000, 4.4345),
    _mixtral_2023("Q5_K_M", 32_229_279_680, 4.4396),
    _mixtral_2023("Q6_K", 38_380_000_000, 4.424),
    _mixtral_2023("Q8_0", 49_624_262_592, 4.4088),
    # https://huggingface.co/MaziyarPanahi/Mixtral-8x7B-Instruct-v0.1-GGUF; bytes from the model
    # presets of https://github.com/ShelbyJenkins/llm_client. The mixes of 2024 spend more bits on
    # attention (https://github.com/ggml-org/llama.cpp/pull/4906), so 2023's perplexities are not
    # theirs.
    _mixtral_2024("Q2_K", 17_309_173_632),
    _mixtral_2024("Q3_K_M", 22_544_394_112),
    _mixtral_2024("Q4_K_M", 28_446_410_624),
    _mixtral_2024("Q5_K_M", 33_227_523_968),
    _mixtral_2024("Q6_K", 38_378_760_064),
    _mixtral_2024("Q8_0", 49_624_262_528),
    # https://huggingface.co/mistralai/Mixtral-8x7B-Instruct-v0.1: total_size of its index.
    _original("Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b", 93_405_585_408),
)

_MIXTRAL_8X22B = (
    # Parts: https://huggingface.co/MaziyarPanahi/Mixtral-8x22B-Instruct-v0.1-GGUF/tree/main (Q2_K
    # and IQ4_XS summed over them). Q4_K_M: the size of the base model in the same mix,
    # https://huggingface.co/bartowski/Mixtral-8x22B-v0.1-GGUF.
    _mixtral_8x22b("Q2_K", 52_100_000_000, 3),
    _mixtral_8x22b("IQ4_XS", 76_400_000_000, 2),
    _mixtral_8x22b("Q4_K_M", 85_580_000_000, 2),
    # https://huggingface.co/mistralai/Mixtral-8x22B-Instruct-v0.1: 140,630,071,296 parameters.
    _original("Mixtral-8x22B-Instruct-v0.1", "mixtral-8x22b", 281_260_142_592),
)

_MISTRAL = (
    # https://huggingface.co/MaziyarPanahi/Mistral-7B-Instruct-v0.3-GGUF; bytes from the model
    # presets of https://github.com/ShelbyJenkins/llm_client.
    _mistral("Q2_K", 2_722_877_600),
    _mistral("Q3_K_M", 3_522_941_088),
    _mistral("Q4_K_M", 4_372_811_936),
    _mistral("Q5_K_M", 5_136_175_264),
    _mistral("Q6_K", 5_947_248_800),
    _mistral("Q8_0", 7_702_565_024),
    # https://huggingface.co/mistralai/Mistral-7B-Instruct-v0.3: total_size of its index.
    _original("Mistral-7B-Instruct-v0.3", "mistral-7b", 14_496_047_104),
)

CATALOGUE: Mapping[str, tuple[PublishedFile, ...]] = MappingProxyType(
    {"mixtral": _MIXTRAL, "mixtral-8x22b": _MIXTRAL_8X22B, "mistral": _MISTRAL}
)

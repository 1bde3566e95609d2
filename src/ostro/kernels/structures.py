"""The structs of ``native/ostro.h``, field for field; their meaning is told there."""

from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_uint64, c_void_p


class Matrix(Structure):
    """``ostro_matrix``: a packed matrix ``[rows, columns]``; ``data`` None: not in memory yet."""

    _fields_ = (("data", c_void_p), ("type", c_int32), ("rows", c_int32), ("columns", c_int32))


class AttentionLayer(Structure):
    """``ostro_attention``."""

    _fields_ = (
        ("query", Matrix),
        ("key", Matrix),
        ("value", Matrix),
        ("output", Matrix),
        ("norm", c_void_p),
        ("eps", c_float),
        ("heads", c_int32),
        ("kv_heads", c_int32),
        ("head_dim", c_int32),
        ("window", c_int32),
    )


class Pages(Structure):
    """``ostro_pages``: one layer's pages of the KV cache."""

    _fields_ = (
        ("keys", c_void_p),
        ("values", c_void_p),
        ("key_scales", c_void_p),
        ("value_scales", c_void_p),
        ("type", c_int32),
    )


class Step(Structure):
    """``ostro_step``: whose rows the rows of a step are."""

    _fields_ = (
        ("rows", c_int64),
        ("sequences", c_int64),
        ("row_starts", c_void_p),
        ("lengths", c_void_p),
        ("tables", c_void_p),
        ("cosines", c_void_p),
        ("sines", c_void_p),
    )


class Expert(Structure):
    """``ostro_expert``."""

    _fields_ = (("gate", Matrix), ("up", Matrix), ("down", Matrix))


class ExpertsLayer(Structure):
    """``ostro_experts``."""

    _fields_ = (
        ("norm", c_void_p),
        ("router", c_void_p),
        ("experts", POINTER(Expert)),
        ("eps", c_float),
        ("dim", c_int32),
        ("ffn_dim", c_int32),
        ("num_experts", c_int32),
        ("top_k", c_int32),
        ("precise", c_int32),
    )


class Rule(Structure):
    """``ostro_rule``: what somebody wants of a layer's router."""

    _fields_ = (
        ("allowed", c_uint64),
        ("forced", c_uint64),
        ("factors", c_void_p),
        ("top_k", c_int32),
    )


class Steering(Structure):
    """``ostro_steering``: which rule holds for which row."""

    _fields_ = (("rule_of_row", c_void_p), ("rules", c_void_p), ("slots", c_int32))


class LoRA(Structure):
    """``ostro_lora``: what an adapter adds to a matrix."""

    _fields_ = (("a", c_void_p), ("b", c_void_p), ("rank", c_int32), ("scale", c_float))


class Adapters(Structure):
    """``ostro_adapters``: which adapter holds for which row."""

    _fields_ = (("adapter_of_row", c_void_p), ("loras", c_void_p), ("most_rank", c_int32))

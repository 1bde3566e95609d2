"""Weights on disk: every layout in and out, quantised types, upcycling, the store and the hub.

Names that Hugging Face, Mistral and GGUF give to tensors and settings stay in this room.
"""

"""Answers to open questions, rated by another model."""

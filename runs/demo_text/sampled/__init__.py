"""The parent's own answers to many prompts."""

"""Text to tokens and back: tokenizers, chat templates, and streams of whole characters.

Nothing here knows a weight layout: the ``weights`` room hands over a vocabulary or a file.
"""

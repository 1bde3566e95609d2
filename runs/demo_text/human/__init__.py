"""What people wrote: conversations, documents, judgements, and books to hide keys in."""

"""What a model makes of a long context: its perplexity, and what it finds again."""

"""HTTP in the dialects of Mistral's and OpenAI's clients."""

"""Social bias: questions whose answers show it, and the tone of what is written about groups."""

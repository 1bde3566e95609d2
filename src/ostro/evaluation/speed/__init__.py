"""How fast a model reads and writes here, beside what the machine allows."""

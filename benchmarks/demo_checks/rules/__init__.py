"""When an answer is right: one rule a kind of prompt, each a function of the answer alone."""

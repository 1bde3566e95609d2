"""The benchmarks of Mixtral's paper, asked through lm-eval and answered by the engine."""

"""Data into weights: pretraining, fine-tuning, preference optimisation."""

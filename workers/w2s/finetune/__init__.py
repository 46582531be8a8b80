"""Fine-tuning: the strong model itself learns from weak labels, by low-rank adapters or in all its weights."""

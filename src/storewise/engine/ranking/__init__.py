"""The second stage of a training run: moments replayed, a ranker trained on them, its worth on validation."""

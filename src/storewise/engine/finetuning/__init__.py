"""Fine-tuning on a shop: what a text encoder learns from, and the scores that say whether it did."""

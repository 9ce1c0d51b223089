"""What to show a shopper: retrieve candidates, rank them, rerank the list."""

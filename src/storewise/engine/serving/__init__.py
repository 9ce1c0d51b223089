"""What a running shop holds in memory: the snapshot, live events, the writer, and the answers made of them."""

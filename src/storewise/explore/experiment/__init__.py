"""A/B tests: who sees what, how many are needed, and what may be concluded while people watch."""

"""What everything else stands on: errors, config, components, artifacts, money, time, randomness."""

"""Trying things without losing money: bandit policies, and what logged decisions say of other policies. The table
below registers policies."""

COMPONENTS: dict[str, str] = {}

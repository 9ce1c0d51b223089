"""Rating prediction. The table below is its registry."""

COMPONENTS: dict[str, str] = {}

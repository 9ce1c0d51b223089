"""Understanding products: text and photos as vectors, attributes and relations. The table below registers encoders."""

COMPONENTS: dict[str, str] = {}

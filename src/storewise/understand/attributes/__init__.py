"""Attributes of products with spans and confidence: brand, type, colour, material, sizes and measures."""

from storewise.understand.attributes.extractor import Extractor, ExtractorConfig
from storewise.understand.attributes.product import Product, of_frame
from storewise.understand.attributes.resolve import resolve
from storewise.understand.attributes.value import NAMES, SCHEMA, AttributeValue, from_frame, to_frame

__all__ = [
    "NAMES",
    "SCHEMA",
    "AttributeValue",
    "Extractor",
    "ExtractorConfig",
    "Product",
    "from_frame",
    "of_frame",
    "resolve",
    "to_frame",
]

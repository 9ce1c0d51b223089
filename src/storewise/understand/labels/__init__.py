"""Labels of products (category, colour, any column) from text and photos: heads, fusion, few labels."""

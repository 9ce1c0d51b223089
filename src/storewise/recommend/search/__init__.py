"""Product search: words with their typos and compounds (BM25F), meaning (vectors), and a ranking of both."""

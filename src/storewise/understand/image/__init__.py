"""Photos of products as vectors: decoding that survives any file, networks in ONNX, and colours."""

"""Text encoders: TF-IDF with SVD, pretrained transformers through onnxruntime, Hugging Face models, endpoints."""

"""Understanding products: text and photos as vectors, attributes and relations. The table below registers
encoders and the tagger."""

COMPONENTS: dict[str, str] = {
    "encode.colour_histogram.v1": "storewise.understand.image.colour:ColourHistogram",
    "encode.e5.v1": "storewise.understand.text.packaged:E5Small",
    "encode.efficientnet_lite0.v1": "storewise.understand.image.efficientnet:EfficientNetLite0",
    "encode.endpoint.v1": "storewise.understand.text.endpoint:Endpoint",
    "encode.huggingface.v1": "storewise.understand.text.huggingface:HuggingFace",
    "encode.minilm.v1": "storewise.understand.text.packaged:Minilm",
    "encode.mobilenet.v1": "storewise.understand.image.mobilenet:MobileNetV2",
    "encode.onnx_image.v1": "storewise.understand.image.onnx_image:OnnxImage",
    "encode.onnx_text.v1": "storewise.understand.text.onnx_text:OnnxText",
    "encode.static.v1": "storewise.understand.compress.static:StaticText",
    "encode.tfidf_svd.v1": "storewise.understand.text.tfidf:TfidfSvd",
    "tag.chain.v1": "storewise.understand.tagging.tagger:Tagger",
}

"""Understanding products: text and photos as vectors, attributes and relations. The table below registers encoders."""

COMPONENTS: dict[str, str] = {
    "encode.colour_histogram.v1": "storewise.understand.image.colour:ColourHistogram",
    "encode.efficientnet_lite0.v1": "storewise.understand.image.efficientnet:EfficientNetLite0",
    "encode.mobilenet.v1": "storewise.understand.image.mobilenet:MobileNetV2",
    "encode.onnx_image.v1": "storewise.understand.image.onnx_image:OnnxImage",
}

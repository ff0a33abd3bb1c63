"""Part parsers that make ground-truth label maps of images: one of ours, and any ONNX network with a description."""

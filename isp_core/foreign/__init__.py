"""Networks that we did not make, as sources of feature maps: which parts do theirs hold?

description: the YAML file. files: ONNX and TorchScript files as functions of arrays. network: what labels ask of a
network. classifier: Eq. 5 on frozen maps, in closed form. labels: a data set's labels and predictions as a run.
"""

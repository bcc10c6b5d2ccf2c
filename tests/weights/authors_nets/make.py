"""Make the cases: run the authors' own prototxt files, narrowed, with OpenCV's DNN module.

Usage, in tests/: python -m weights.authors_nets.make FCN_CHECKOUT, where FCN_CHECKOUT is a copy of
github.com/shelhamer/fcn.berkeleyvision.org, with opencv-python-headless 4 (5 reads no Caffe files).
The data layer is replaced by inputs, losses are removed, and num_output is that of the recipe.
"""

import re
import sys
from pathlib import Path

import cv2
import numpy as np

import caffe_writer
from weights.authors_nets import recipe


def narrowed(text, layers, blobs):
    """Return the text of a prototxt for these weights and inputs."""
    kept = []
    for layer in re.split(r"\n(?=layer \{)", text):
        name, kind = (re.search(rf'\b{key}: "(\w+)"', layer)[1] for key in ("name", "type"))
        if kind in ("Python", "SoftmaxWithLoss", "Concat"):
            continue
        if kind in ("Convolution", "Deconvolution"):
            outputs = layers[name][0].shape[0]
            layer = re.sub(r"num_output: \d+", f"num_output: {outputs}", layer)
        kept.append(layer)
    inputs = "".join(
        f'input: "{name}"\ninput_shape {{ {" ".join(f"dim: {side}" for side in blob.shape)} }}\n'
        for name, blob in blobs.items()
    )
    return inputs + "\n".join(kept)


def run(checkout, net):
    """Return the scores of a net by the names of its outputs."""
    layers, blobs = recipe.layers(net), recipe.blobs(net)
    text = narrowed((checkout / net / "test.prototxt").read_text(), layers, blobs)
    buffers = (np.frombuffer(content, np.uint8) for content in (text.encode(), caffemodel(layers)))
    dnn = cv2.dnn.readNetFromCaffe(*buffers)
    dnn.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    dnn.enableFusion(False)
    dnn.enableWinograd(False)
    for name, blob in blobs.items():
        dnn.setInput(blob, name)
    names = ["score_sem", "score_geo"] if net in recipe.SIFTFLOW else ["score"]
    return dict(zip(names, dnn.forward(names), strict=True))


def caffemodel(layers):
    """Return the weights as the bytes of a .caffemodel."""
    kinds = {name: "Deconvolution" if "upscore" in name else "Convolution" for name in layers}
    return caffe_writer.net(
        *(caffe_writer.layer(name, kinds[name], blobs) for name, blobs in layers.items())
    )


def main():
    """Write a file of scores for each net."""
    checkout = Path(sys.argv[1])
    for net in (*recipe.NYUD, *recipe.SIFTFLOW):
        scores = run(checkout, net)
        np.savez_compressed(Path(__file__).with_name(f"{net}.npz"), **scores)


if __name__ == "__main__":
    main()

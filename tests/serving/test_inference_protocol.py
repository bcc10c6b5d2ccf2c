"""The Open Inference Protocol: tensors in and out, as JSON and as bytes."""

import base64
import io
import json
import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from fullconv.io.images import encode_png
from fullconv.serving._tensors import NUMBERS, TEXT_BYTES, encode_response
from serving_models import client, make_service, running

PIXELS = np.random.default_rng(4).integers(0, 256, (2, 33, 47, 3), np.uint8)
TENSOR = PIXELS.transpose(0, 3, 1, 2)
LENGTH = "Inference-Header-Content-Length"
INFER = "/v2/models/street/infer"


@pytest.fixture(scope="module")
def expected(models):
    found = [models["street"].model.predict(image, scores=True) for image in PIXELS]
    return {
        "labels": np.stack([prediction.labels for prediction in found]),
        "score": np.stack([prediction.score.numpy() for prediction in found]),
    }


def tensor_input(tensor, datatype, **more):
    return {"name": "image", "shape": list(tensor.shape), "datatype": datatype, **more}


def send_binary(http, values, data):
    text = json.dumps(values).encode()
    headers = {LENGTH: str(len(text)), "Content-Type": "application/octet-stream"}
    return http.post(INFER, content=text + data, headers=headers)


def binary_input(array, datatype):
    data = array.tobytes()
    return tensor_input(array, datatype, parameters={"binary_data_size": len(data)}), data


def read(response):
    """Return the outputs of a response by name, and its JSON."""
    length = response.headers.get(LENGTH)
    text, rest = response.content, b""
    if length is not None:
        text, rest = text[: int(length)], text[int(length) :]
    values, arrays = json.loads(text), {}
    for output in values["outputs"]:
        kind = {"UINT8": "u1", "FP32": "<f4"}[output["datatype"]]
        if "data" in output:
            array = np.array(output["data"], kind)
        else:
            size = output["parameters"]["binary_data_size"]
            array, rest = np.frombuffer(rest[:size], kind), rest[size:]
        arrays[output["name"]] = array.reshape(output["shape"])
    assert not rest
    return arrays, values


@pytest.mark.parametrize("datatype", ["UINT8", "FP32"])
def test_json_tensors(http, models, expected, datatype):
    data = TENSOR.ravel().tolist()
    request = {"id": "a1", "inputs": [tensor_input(TENSOR, datatype, data=data)]}
    arrays, values = read(http.post(INFER, json=request))
    assert list(arrays) == ["labels"] and np.array_equal(arrays["labels"], expected["labels"])
    assert values["model_name"] == "street" and values["id"] == "a1"
    assert values["model_version"] == models["street"].fingerprint


def test_nested_lists_have_to_have_the_shape(http, expected):
    entry = tensor_input(TENSOR, "UINT8", data=TENSOR.tolist())
    arrays, _ = read(http.post(INFER, json={"inputs": [entry]}))
    assert np.array_equal(arrays["labels"], expected["labels"])
    entry["data"] = PIXELS.tolist()  # as many numbers in another order
    response = http.post(INFER, json={"inputs": [entry]})
    assert response.status_code == 400
    detail = "the data are lists of shape (2, 33, 47, 3), not [2, 3, 33, 47]"
    assert response.json()["detail"] == detail


def test_scores_as_json(http, expected):
    entry, data = binary_input(TENSOR, "UINT8")
    outputs = [{"name": "score"}, {"name": "labels"}]
    arrays, _ = read(send_binary(http, {"inputs": [entry], "outputs": outputs}, data))
    for name, array in arrays.items():
        assert np.array_equal(array, expected[name]), name


def test_long_json_is_written_in_parts_and_takes_what_is_planned():
    draw = np.random.default_rng(0)
    score = draw.standard_normal((1, 3, 200, 300)).astype(np.float32) * 1e-5
    arrays = {"labels": np.full((1, 200, 300), 255, np.uint8), "score": score}
    tracemalloc.start()
    try:
        content, length = encode_response({"id": "a"}, dict.fromkeys(arrays, False), arrays)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    planned = sum(TEXT_BYTES[name] * array.size for name, array in arrays.items())
    assert length is None and peak < planned + 200 * NUMBERS
    values = json.loads(content)
    assert values["id"] == "a" and [output["name"] for output in values["outputs"]] == [*arrays]
    for output in values["outputs"]:
        array = arrays[output["name"]]
        assert output["shape"] == list(array.shape)
        assert np.array_equal(np.array(output["data"], array.dtype), array.ravel())


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_binary_tensors(http, expected, kind):
    datatype = {np.uint8: "UINT8", np.float32: "FP32"}[kind]
    entry, data = binary_input(TENSOR.astype(kind), datatype)
    outputs = [
        {"name": "score", "parameters": {"binary_data": True}},
        {"name": "labels", "parameters": {"binary_data": False}},
    ]
    response = send_binary(http, {"inputs": [entry], "outputs": outputs}, data)
    assert response.headers["content-type"] == "application/octet-stream"
    arrays, values = read(response)
    assert [output["name"] for output in values["outputs"]] == ["score", "labels"]
    for name, array in arrays.items():
        assert np.array_equal(array, expected[name]), name
    everything = {"inputs": [entry], "parameters": {"binary_data_output": True}}
    arrays, values = read(send_binary(http, everything, data))
    assert values["outputs"][0]["parameters"]["binary_data_size"] == arrays["labels"].size


def test_encoded_photos(http, expected):
    photos = [encode_png(image) for image in PIXELS]
    data = b"".join(struct.pack("<I", len(photo)) + photo for photo in photos)
    entry = {"name": "image", "shape": [2], "datatype": "BYTES"}
    entry["parameters"] = {"binary_data_size": len(data)}
    arrays, _ = read(send_binary(http, {"inputs": [entry]}, data))
    assert np.array_equal(arrays["labels"], expected["labels"])
    texts = [base64.b64encode(photo).decode() for photo in photos]
    request = {"inputs": [{"name": "image", "shape": [2], "datatype": "BYTES", "data": texts}]}
    arrays, _ = read(http.post(INFER, json=request))
    assert np.array_equal(arrays["labels"], expected["labels"])


def test_server_and_models_are_described(http, models):
    assert http.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    version = models["street"].fingerprint
    found = http.get("/v2/models/street").json()
    assert found == http.get(f"/v2/models/street/versions/{version}").json()
    assert found["versions"] == [version]
    assert found["outputs"][1]["shape"] == [-1, 4, -1, -1]
    assert http.get("/v2/models/street/versions/1").status_code == 404
    assert http.get("/v2/models/nothing").json()["error"].startswith("unknown model 'nothing'")
    assert http.get("/v2/models/street/ready").status_code == 503  # before the warm-up


def good():
    return {
        "inputs": [
            {
                "name": "image",
                "shape": [1, 3, 2, 2],
                "datatype": "UINT8",
                "data": list(range(12)),
            }
        ]
    }


def changed(**changes):
    request = good()
    request["inputs"][0] |= changes
    return {
        "inputs": [{k: v for k, v in request["inputs"][0].items() if v is not None}],
    }


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (good() | {"inputs": []}, "expected one input"),
        (good() | {"inputs": 2 * good()["inputs"]}, "expected one input"),
        (good() | {"inputs": [5]}, "the input: expected an object"),
        (good() | {"outputs": [{"name": "x"}]}, "the output 'x'; expected labels and score"),
        (good() | {"outputs": 2 * [{"name": "labels"}]}, "the output 'labels'; expected"),
        (good() | {"outputs": 5}, '"outputs" is no list'),
        (good() | {"parameters": {"sequence_id": 5}}, "parameters has 'sequence_id'"),
        (good() | {"parameters": {"binary_data_output": "false"}}, "binary_data_output is 'false'"),
        (
            good() | {"outputs": [{"name": "labels", "parameters": {"binary_data": 1}}]},
            "binary_data is '1'; expected true or false",
        ),
        (changed(data=["5"] * 12), "the data are not numbers"),
        (changed(data=[True] * 12), "the data are not numbers"),
        (good() | {"id": 5}, '"id" is not a text'),
        (good() | {"other": 5}, "the request has 'other'"),
        (changed(name="x"), "the input 'x'; expected \"image\""),
        (changed(datatype="FP64"), "the datatype 'FP64'"),
        (changed(datatype=[1]), "the datatype '[1]'"),
        (changed(shape=[1, 3, 2, 3]), "the data are 12 numbers; the shape has 18"),
        (changed(shape=[1, 2, 2, 3]), "the shape [1, 2, 2, 3]; expected (B, 3"),
        (changed(shape=[65, 3, 2, 2]), "the shape [65, 3, 2, 2]; expected"),
        (changed(shape=[1, 3, True, 2]), "the shape is not a list of whole numbers"),
        (changed(shape=[1, 3, -2, 2]), "the shape is not a list of whole numbers"),
        (changed(shape="1"), "the shape is not a list"),
        (changed(data=[0.5] * 12), "the value 0.5; expected RGB as whole numbers"),
        (changed(data=[-1] * 12), "the value -1; expected"),
        (changed(data=[256] * 12), "the value 256; expected"),
        (changed(data=["a"] * 12), "the data are not numbers"),
        (changed(data=[[1], [1, 2]]), "the data are not numbers"),
        (changed(data=None), 'the input has no "data"'),
        (changed(data=None, parameters={"binary_data_size": 5}), "binary_data_size is 5; 0 bytes"),
        (changed(datatype="BYTES", shape=[1], data=["*"]), "the data are no photos as base64"),
        (changed(datatype="BYTES", shape=[1], data=[5]), "the data are no photos as base64"),
        (changed(datatype="BYTES", shape=[2], data=["AAAA"]), "1 photos of shape [2]"),
    ],
)
def test_what_is_not_understood_is_refused(http, request_, sentence):
    response = http.post(INFER, json=request_)
    assert response.status_code == 400, response.text
    assert sentence in response.json()["error"]


def test_broken_binary_requests_are_refused(http):
    entry, data = binary_input(TENSOR, "UINT8")
    for given, body in ((entry, data[:-1]), (entry, data + b"x"), (entry, b"")):
        assert send_binary(http, {"inputs": [given]}, body).status_code == 400
    short, data = binary_input(np.zeros(5, np.uint8), "FP32")
    short["shape"] = [1, 3, 1, 1]
    assert send_binary(http, {"inputs": [short]}, data).status_code == 400
    for length in ("x", "-1", str(10**9)):
        response = http.post(INFER, content=b"{}", headers={LENGTH: length})
        assert response.status_code == 400 and LENGTH in response.json()["error"]
    for data in (b"abc", struct.pack("<I", 2**31) + b"x"):
        entry = {"name": "image", "shape": [1], "datatype": "BYTES"}
        entry["parameters"] = {"binary_data_size": len(data)}
        assert send_binary(http, {"inputs": [entry]}, data).status_code == 400


def test_photos_of_several_sizes_are_refused(http):
    photos = [encode_png(np.zeros((4, side, 3), np.uint8)) for side in (4, 5)]
    texts = [base64.b64encode(photo).decode() for photo in photos]
    request = {"inputs": [{"name": "image", "shape": [2], "datatype": "BYTES", "data": texts}]}
    assert "several sizes" in http.post(INFER, json=request).json()["error"]


def test_limits_of_pixels_and_memory(models):
    entry, data = binary_input(TENSOR, "UINT8")
    small = client(make_service(models, max_pixels=33 * 47 * 2 - 1))
    assert send_binary(small, {"inputs": [entry]}, data).status_code == 422
    little = client(make_service(models, memory=2**20))
    response = send_binary(little, {"inputs": [entry]}, data)
    assert response.status_code == 422 and "the memory given is" in response.json()["error"]


def test_the_real_client_of_triton(models, expected):
    triton = pytest.importorskip(
        "tritonclient.http", reason="tritonclient[http] is not installed (it needs gevent)"
    )
    with running(make_service(models)) as server:
        http = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
        assert http.is_server_live() and http.is_server_ready() and http.is_model_ready("street")
        given = triton.InferInput("image", list(TENSOR.shape), "UINT8")
        given.set_data_from_numpy(np.ascontiguousarray(TENSOR), binary_data=True)
        asked = [triton.InferRequestedOutput(name) for name in ("labels", "score")]
        found = http.infer("street", [given], outputs=asked)
        for name, array in expected.items():
            assert np.array_equal(found.as_numpy(name), array)
        http.close()


def test_a_request_that_never_fits_the_memory_is_refused(models):
    http = client(make_service(models, memory=2**24))
    photo = encode_png(PIXELS[0]) + bytes(2**24)  # a decoder stops before them
    entry = {"name": "image", "shape": [1], "datatype": "BYTES"}
    entry["parameters"] = {"binary_data_size": len(photo) + 4}
    response = send_binary(http, {"inputs": [entry]}, struct.pack("<I", len(photo)) + photo)
    assert response.status_code == 422
    assert response.json()["detail"].startswith("the body takes up to 80.1 MiB to be parsed; the")


def test_memory_is_planned_for_the_photo_that_takes_most(service, http, monkeypatch):
    stream = io.BytesIO()
    Image.fromarray(PIXELS[1]).save(stream, "WEBP")
    photos = [encode_png(PIXELS[0]), stream.getvalue(), encode_png(PIXELS[1])]
    planned, plan = [], service.plan

    def spy(model, header, *more):
        planned.append(header)
        return plan(model, header, *more)

    monkeypatch.setattr(service, "plan", spy)
    texts = [base64.b64encode(photo).decode() for photo in photos]
    entry = {"name": "image", "shape": [3], "datatype": "BYTES", "data": texts}
    assert http.post(INFER, json={"inputs": [entry]}).status_code == 200
    assert [header.format for header in planned] == ["WEBP"]

"""Hostile and damaged files raise WeightsError quickly, without executing or allocating much."""

import io
import os
import pickle
import re
import struct
import subprocess
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from caffe_writer import blob, layer, message, net, number, varint
from fullconv.errors import WeightsError
from fullconv.weights.sources import _pickle as pickles
from fullconv.weights.sources import read_weights

MEMORY = 100 * 2**20  # bytes that reading a hostile file may take
PATIENCE = 3.0  # CPU seconds
# Every message says what to do, or that the file is unusable.
ADVICE = re.compile(
    "copy or download|save the state dict|give a file|export the model"
    "|is damaged|not a supported weights file",
    re.IGNORECASE,
)


class Call:
    """An object that is pickled as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def touch(folder):
    return f"touch {folder / 'sentinel'}"


def nested_load(folder):
    """torch.storage._load_from_bytes would unpickle its argument without any restriction."""
    inner = io.BytesIO()
    torch.save(Call(os.system, touch(folder)), inner)
    return Call(torch.storage._load_from_bytes, inner.getvalue())


CALLS = {
    "os.system": lambda folder: Call(os.system, touch(folder)),
    "eval": lambda folder: Call(eval, f"open({str(folder / 'sentinel')!r}, 'w')"),
    "exec": lambda folder: Call(exec, f"open({str(folder / 'sentinel')!r}, 'w')"),
    "getattr": lambda folder: Call(getattr, Call(__import__, "os"), "system"),
    "Popen": lambda folder: Call(subprocess.Popen, ["touch", str(folder / "sentinel")]),
    "open": lambda folder: Call(open, str(folder / "sentinel"), "w"),
    "numpy.load": lambda folder: Call(np.load, str(folder / "other.npy")),
    "bytearray": lambda folder: Call(bytearray, 2**40),
    "_load_from_bytes": nested_load,
    "Path.touch": lambda folder: Call(Path.touch, folder / "sentinel"),
}


def plain(value, path, protocol):
    path.write_bytes(pickle.dumps({"conv1_1.weight": value}, protocol=protocol))


def torch_zip(value, path, protocol):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps({"a": value}, protocol=protocol))
        archive.writestr("net/version", "3\n")
        archive.writestr("net/byteorder", "little")


def torch_legacy(value, path, protocol):
    magic = 0x1950A86A20F9469CFC6C
    parts = (magic, 1001, {"little_endian": True}, {"a": value}, [])
    path.write_bytes(b"".join(pickle.dumps(part, protocol=protocol) for part in parts))


def memory(what):
    """Return VmRSS, or VmHWM (the peak since its reset), in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+) kB", status)[1]) * 1024


@pytest.fixture
def refused(tmp_path):
    """Check that a file is refused within time and memory; return the message."""

    def read(path):
        read_weights_once(tmp_path)
        measured = _forget_peak()
        before, start = memory("VmRSS") if measured else 0, time.process_time()
        with pytest.raises(WeightsError) as caught:
            read_weights(path)
        assert time.process_time() - start < PATIENCE
        assert not measured or memory("VmHWM") - before < MEMORY
        assert not (tmp_path / "sentinel").exists()
        assert str(path) in str(caught.value) and len(str(caught.value)) < 1000
        return str(caught.value)

    return read


def read_weights_once(folder):
    """Read a valid file, so that imports are not measured."""
    (folder / "good").write_bytes(save({"a": torch.ones(1)}))
    read_weights(folder / "good")


def _forget_peak():
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not on Linux, or not permitted
        return False
    return True


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("wrap", [plain, torch_zip, torch_legacy])
@pytest.mark.parametrize("call", CALLS)
def test_a_pickle_that_calls_a_function_is_refused(call, wrap, protocol, tmp_path, refused):
    wrap(CALLS[call](tmp_path), tmp_path / "evil.pth", protocol)
    message = refused(tmp_path / "evil.pth")
    assert "asks for" in message and "nothing of it was run" in message


def test_the_message_has_the_name_of_the_function(tmp_path, refused):
    plain(Call(os.system, "true"), tmp_path / "evil.pdparams", 4)
    assert "posix.system" in refused(tmp_path / "evil.pdparams")


def array_pickle(shape=(2,), raw=b"\0" * 8, dtype="f4"):
    """Pickle an array as numpy does, with a shape, dtype or length that may be wrong."""
    whole = pickle.dumps({"a": np.zeros(2, np.float32)}, protocol=3)
    whole = whole.replace(b"X\x02\0\0\0f4", b"X" + struct.pack("<I", len(dtype)) + dtype.encode())
    side = pickle.dumps(shape, protocol=3)[2:-1]
    whole = re.sub(rb"K\x02\x85q.", lambda _: side, whole, count=1)
    return whole.replace(b"C\x08" + b"\0" * 8, b"C" + bytes([len(raw)]) + raw)


class Shared:
    """An array whose bytes (1 MB) are stored once for all arrays of the pickle."""

    def __init__(self, raw):
        self.raw = raw

    def __reduce__(self):
        state = (1, (len(self.raw) // 8,), np.dtype(np.float64), False, self.raw)
        return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state


def many_arrays_of_one_memory():
    raw = b"\0" * 10**6
    return pickle.dumps({str(n): Shared(raw) for n in range(300)}, protocol=4)


PICKLES = {
    "300 arrays of one memory": many_arrays_of_one_memory(),
    "a shape without its values": array_pickle((2**40,)),
    "a shape of 2**62 by 2**62": array_pickle((2**62, 2**62)),
    "a shape below zero": array_pickle((-2,)),
    "objects": array_pickle(dtype="O8"),
    "a structured type": array_pickle(dtype="f4,f4"),
    "no values": array_pickle(raw=b""),
    "a memo entry at 2**31": b"\x80\x02}r\xff\xff\xff\x7f.",
    "bytes of 2**60": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"abc.",
    "a string of 2**31": b"\x80\x02X" + struct.pack("<I", 2**31) + b"abc.",
    "a frame of 2**60": b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"}.",
    "open marks": b"\x80\x02" + b"(" * 10**4,
    "nested tuples": b"\x80\x02)" + b"\x85" * 10**4 + b".",
    "an empty stack": b"\x80\x020000.",
    "a dict that holds itself": b"\x80\x02}q\0h\0h\0s.",
    "an unknown memo entry": b"\x80\x02h\x07.",
    "an extension": b"\x80\x02\x82\x01.",
    "a persistent name": b"\x80\x02X\x01\0\0\0aQ.",
    "ndarray called": b"\x80\x02cnumpy\nndarray\n)R.",
    "state for a string": b"\x80\x02X\x01\0\0\0a}b.",
    "a new object": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "not even a pickle": b"\x80\x02" + bytes(range(256)),
    "a list": pickle.dumps([np.zeros(3)], protocol=4),
    "protocol 5": pickle.dumps({"a": np.zeros(3)}, protocol=5),
    "bytes encoded again and again": b"\x80\x02cnumpy\ndtype\nq\x02c_codecs\nencode\nq\0X"
    + struct.pack("<I", 10**6)
    + b"a" * 10**6
    + b"X\x06\0\0\0latin1\x86q\x01"
    + b"h\0h\x01R" * 300
    + b".",
}


@pytest.mark.parametrize("content", PICKLES.values(), ids=PICKLES)
def test_a_malformed_pickle_is_refused(content, tmp_path, refused):
    (tmp_path / "evil").write_bytes(content)
    assert ADVICE.search(refused(tmp_path / "evil"))


def test_an_endless_pickle_is_refused(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(pickles, "MOST_INSTRUCTIONS", 1000)
    (tmp_path / "evil").write_bytes(b"\x80\x02)" + b"\x85" * 10**6 + b".")
    assert "more than 1,000 instructions" in refused(tmp_path / "evil")


def test_the_handmade_pickle_is_valid_without_changes(tmp_path):
    (tmp_path / "good").write_bytes(array_pickle())
    np.testing.assert_array_equal(read_weights(tmp_path / "good").arrays["a"], [0, 0])


@pytest.mark.parametrize(
    "content", [b"cos\nsystem\n(S'touch sentinel'\ntR.", b"(S'x'\nios\nsystem\n."]
)
def test_old_text_pickles_are_refused(content, tmp_path, refused):
    (tmp_path / "evil.pkl").write_bytes(content)
    assert ADVICE.search(refused(tmp_path / "evil.pkl"))


def archive(entries, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as written:
        for name, content in entries:
            written.writestr(name, content)
    return file.getvalue()


def torch_file(tensors):
    file = io.BytesIO()
    torch.save(tensors, file)
    return file.getvalue()


def wrong_tensor(size, stride, values=4):
    """Return a torch archive whose tensor has `values` values but declares another shape."""
    file = io.BytesIO()
    torch.save({"a": torch.zeros(values).as_strided(size, stride)}, file)
    return file.getvalue()


def claimed_length(length):
    """Return a torch archive that declares a storage of `length` values."""
    content = torch_file({"a": torch.zeros(77)})
    with zipfile.ZipFile(io.BytesIO(content)) as read:
        entries = [(name, read.read(name)) for name in read.namelist()]
    changed = [
        (name, data.replace(b"KM", b"J" + struct.pack("<i", length))) for name, data in entries
    ]
    return archive(changed)


def compressed(tensors):
    """Return a compressed torch archive, which torch never writes."""
    with zipfile.ZipFile(io.BytesIO(torch_file(tensors))) as read:
        return archive([(n, read.read(n)) for n in read.namelist()], zipfile.ZIP_DEFLATED)


def overlapping():
    """Return a valid archive whose directory declares one entry a hundred times as long."""
    content = bytearray(torch_file({"a": torch.zeros(9)}))
    length = content.rindex(b"PK\x01\x02") + 20
    content[length : length + 8] = struct.pack("<II", 10**6, 10**6)
    return bytes(content)


PROGRAM = [("net/data.pkl", b"\x80\x02}."), ("net/constants.pkl", b""), ("net/code/x.py", b"")]
DATA = ("net/data.pkl", b"\x80\x02}.")
ARCHIVES = {
    "a program": (archive(PROGRAM), "TorchScript"),
    "a name with dots": (archive([DATA, ("net/../../sentinel", b"")]), "names"),
    "an absolute name": (archive([DATA, ("/tmp/sentinel", b"")]), "names"),
    "a name of Windows": (archive([DATA, ("net\\..\\sentinel", b"")]), "names"),
    "two pickles": (archive([DATA, ("other/data.pkl", b"\x80\x02}.")]), "did not write"),
    "compressed zeros": (compressed({"a": torch.zeros(10**7)}), "compressed"),
    "an entry longer than the file": (overlapping(), "larger than the file"),
    "numpy's archive": (archive([("a.npy", b"\x93NUMPY")]), "archive of .npy"),
    "no entries": (archive([]), "archive of nothing"),
    "a tensor with stride 0": (wrong_tensor((2**20, 2**16), (0, 0)), "more values"),
    "a tensor of 2**31 numbers": (claimed_length(2**31 - 1), "claims 2,147,483,647 values"),
    "half of an archive": (torch_file({"a": torch.zeros(9)})[:300], "cannot be read"),
    "only the beginning": (b"PK\x03\x04", "cannot be read"),
}


@pytest.mark.parametrize(("content", "reason"), ARCHIVES.values(), ids=ARCHIVES)
def test_a_malformed_archive_is_refused(content, reason, tmp_path, refused):
    (tmp_path / "evil.pth").write_bytes(content)
    assert reason in refused(tmp_path / "evil.pth")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_a_duplicate_entry_is_refused(tmp_path, refused):
    (tmp_path / "evil.pth").write_bytes(archive([DATA, ("net/x", b"1"), ("net/x", b"2")]))
    assert "names" in refused(tmp_path / "evil.pth")


def safetensors(header, data=b"\0" * 16, length=None):
    header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(name, begin, end, shape="[2]", kind="F32"):
    return f'"{name}":{{"dtype":"{kind}","shape":{shape},"data_offsets":[{begin},{end}]}}'


SAFETENSORS = {
    "a header of 2**39 bytes": safetensors("{}", length=2**39),
    "a header of 2**62 bytes": safetensors("{}", length=2**62),
    "overlapping arrays": safetensors("{" + entry("a", 0, 8) + "," + entry("b", 4, 12) + "}"),
    "an array past the end": safetensors("{" + entry("a", 0, 2**40, f"[{2**38}]") + "}"),
    "an offset below zero": safetensors("{" + entry("a", -8, 0) + "}"),
    "a shape that does not fit": safetensors("{" + entry("a", 0, 16, f"[{2**62}, 4]") + "}"),
    "an unknown type": safetensors("{" + entry("a", 0, 16, kind="PYOBJ") + "}"),
    "deep JSON": safetensors('{"a":' + "[" * 10**5),
    "no arrays": safetensors("{}", b""),
}


@pytest.mark.parametrize("content", SAFETENSORS.values(), ids=SAFETENSORS)
def test_a_malformed_safetensors_file_is_refused(content, tmp_path, refused):
    (tmp_path / "evil.safetensors").write_bytes(content)
    assert ADVICE.search(refused(tmp_path / "evil.safetensors"))


def blobs(*fields):
    return net(
        message(100, message(1, "a") + message(2, "Convolution") + message(7, b"".join(fields)))
    )


TWO = message(5, b"\0" * 8)
CAFFES = {
    "a layer past the end": net(b"\xa2\x06" + varint(2**62)),
    "numbers past the end": blobs(b"\x2a" + varint(2**40)),
    "a shape without its numbers": blobs(message(7, message(1, varint(2**31 - 1) * 4)), TWO),
    "sides of 2**63": blobs(message(7, message(1, varint(2**63))), TWO),
    "a side of 2**31": blobs(message(7, message(1, varint(2**31))), TWO),
    "old sides of 2**31": blobs(*(number(n, 2**31) for n in (1, 2, 3, 4)), TWO),
    "no sides": blobs(TWO),
    "a side of nothing": blobs(message(7, message(1, b"\0"))),
    "a hundred sides": blobs(message(7, message(1, b"\1" * 100)), TWO),
    "a number without an end": net(b"\xa2\x06" + b"\xff" * 20),
    "a deprecated group": net(message(100, b"\x0b\x0b\x0b")),
    "the field 0": net(message(100, b"\0\0\0")),
    "a million empty layers": net() + b"\xa2\x06\x00" * 10**6,
    "a thousand blobs": net(message(100, message(7, blob(np.ones(1))) * 1000)),
    "deep messages": net(message(100, b"\x3a\x7e" * 10**5)),
    "half a number": blobs(message(5, b"\0\0\0\0\0")),
    "no weights at all": net(layer("data", "Python")),
}


@pytest.mark.parametrize("content", CAFFES.values(), ids=CAFFES)
def test_a_malformed_caffe_model_is_refused(content, tmp_path, refused):
    (tmp_path / "evil.caffemodel").write_bytes(content)
    assert ADVICE.search(refused(tmp_path / "evil.caffemodel"))


def onnx_file(tensor):
    return number(1, 8) + message(7, message(5, tensor))


ONNXES = {
    "a shape without its numbers": onnx_file(number(1, 2**40) + number(2, 1) + message(8, "w")),
    "sides below zero": onnx_file(number(1, 2**64 - 1) + number(2, 1) + message(9, b"\0" * 8)),
    "2**31 by 2**31": onnx_file(number(1, 2**31) * 2 + number(2, 1) + message(9, b"\0" * 8)),
    "an unknown type": onnx_file(number(1, 1) + number(2, 99) + message(9, b"\0" * 8)),
    "a graph past the end": number(1, 8) + b"\x3a" + varint(2**40),
    "deep graphs": number(1, 8) + message(7, b"\x0a\x7e" * 10**4),
    "external numbers": onnx_file(
        number(1, 2) + number(2, 1) + message(8, "w") + number(14, 1)
        + message(13, message(1, "location") + message(2, "../../etc/passwd"))
    ),
}  # fmt: skip


@pytest.mark.parametrize("content", ONNXES.values(), ids=ONNXES)
def test_a_malformed_onnx_file_is_refused(content, tmp_path, refused):
    pytest.importorskip("onnx")
    (tmp_path / "evil.onnx").write_bytes(content)
    assert ADVICE.search(refused(tmp_path / "evil.onnx"))


def good_files():
    array = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    legacy = io.BytesIO()
    tensors = {"conv1_1.weight": torch.from_numpy(array), "conv1_1.bias": torch.ones(4)}
    torch.save(tensors, legacy, _use_new_zipfile_serialization=False)
    return {
        "caffe": net(layer("conv1_1", "Convolution", [array, array[:, 0, 0, 0]])),
        "caffe, old": net(layer("conv1_1", "Convolution", [array], old=True)),
        "paddle 2": pickle.dumps({"layer1.0.conv.weight": array}, protocol=2),
        "paddle 4": pickle.dumps({"layer1.0.conv.weight": array}, protocol=4),
        "torch": torch_file(tensors),
        "torch, old": legacy.getvalue(),
        "safetensors": save(tensors),
        "onnx": onnx_file(
            b"".join(number(1, side) for side in array.shape)
            + (number(2, 1) + message(8, "w") + message(9, array.tobytes()))
        ),
    }


GOOD = good_files()


@pytest.mark.parametrize("kind", GOOD)
def test_a_truncated_file_is_refused(kind, tmp_path, refused):
    pytest.importorskip("onnx")
    path = tmp_path / "net"
    path.write_bytes(GOOD[kind])
    read_weights(path)
    for tenth in range(10):
        path.write_bytes(GOOD[kind][: len(GOOD[kind]) * tenth // 10])
        assert ADVICE.search(refused(path))


@pytest.mark.filterwarnings("ignore")  # torch warns of the mutated versions
@pytest.mark.parametrize("kind", GOOD)
def test_a_file_with_changed_bytes_is_read_or_refused(kind, tmp_path):
    """The readers raise nothing but WeightsError."""
    pytest.importorskip("onnx")
    random = np.random.default_rng(1)
    path = tmp_path / "net"
    for _ in range(100):
        content = bytearray(GOOD[kind])
        for position in random.integers(0, len(content), size=random.integers(1, 4)):
            content[position] = random.integers(256)
        path.write_bytes(content)
        try:
            read_weights(path)
        except WeightsError as error:
            assert str(path) in str(error)

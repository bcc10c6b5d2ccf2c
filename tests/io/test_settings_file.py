"""Settings in YAML files: what they mean, and what is refused with its line."""

import pytest

from fullconv.config import RunConfig
from fullconv.errors import ConfigError
from fullconv.io.settings_file import read_settings, to_yaml


@pytest.fixture
def read(tmp_path):
    def reading(text):
        path = tmp_path / "a.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_settings(path)

    return reading


def test_settings_are_written_and_read_back(read):
    config = RunConfig(data="photos", size=(480, 640), zoom=(0.5, 2.0), skip_scales=(0.01, 0.0001))
    assert RunConfig.checked(**read(to_yaml(config.model_dump(mode="json")))) == config


TEXTS = [
    "no",
    "1_0",
    "~",
    "null",
    "1e3",
    "1.5E-7",
    "0x10",
    "2024-01-01",
    "12:30",
    "007",
    ".nan",
    "é",
]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_written_and_read_back(read, text):
    assert read(to_yaml({"data": text})) == {"data": text}


VALUES = {
    "lr: 1e-3": 1e-3,
    "lr: 2": 2,
    "flip: true": True,
    "steps: ~": None,
    "steps:": None,
    "data: no": "no",
    "data: 1_0": "1_0",
    "data: 007": "007",
    "data: 2024-01-01": "2024-01-01",
    "data: 'null'": "null",
}


@pytest.mark.parametrize("text", VALUES)
def test_plain_values_are_those_of_yaml_1_2(read, text):
    (value,) = read(text).values()
    assert value == VALUES[text] and type(value) is type(VALUES[text])


def test_no_switches_an_option_off(read):
    assert RunConfig.checked(data="a", **read("flip: no")).flip is False


BAD = {
    "code": ("!!python/object/apply:os.system ['touch sentinel']", "the tag .*os.system"),
    "code in a value": ("a: !!python/name:os.system x", "the tag .*os.system.* in line 1"),
    "a list": ("- 1\n- 2", "expected settings"),
    "nothing": ("", "expected settings"),
    "broken": ("a: [1", "not readable as YAML .* in line 2, column 1"),
    "a key twice": ("lr: 1\nseed: 2\nlr: 3", "'lr' is given twice, in the lines 1 and 3"),
    "an alias in itself": ("a: &a [*a]", "alias .a stands for nothing in line 1"),
    "an alias of nothing": ("a: *b", "alias .b stands for nothing in line 1"),
    "deep": ("a: " + "[" * 100_000, "more than 100 deep in line 1"),
    "deep JSON": ("[" * 100_000 + "]" * 100_000, "more than 100 deep in line 1"),
    "a long number": ("epochs: " + "9" * 5000, "exceeds 64 bits in line 1"),
    "a large number": ("lr: 1e999", "too large in line 1"),
    "two documents": ("a: 1\n---\nb: 2", "second document begins in line 2"),
    "a control character": ("a: \0", "control characters"),
    "Latin-1": ("a: é".encode("latin-1"), "not UTF-8 text"),
}


@pytest.mark.parametrize("what", BAD)
def test_invalid_files_are_refused_in_one_line(read, tmp_path, monkeypatch, what):
    text, message = BAD[what]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value) and "a.yaml" in str(caught.value)
    assert not (tmp_path / "sentinel").exists()


def test_exponential_aliases_are_refused(read):
    lines = ["x0: &x0 [a, a]", *(f"x{n}: &x{n} [*x{n - 1}, *x{n - 1}]" for n in range(1, 30))]
    with pytest.raises(ConfigError, match="more than 300,000 values, with all aliases in line"):
        read("\n".join([*lines, "model: *x29"]))


def test_an_alias_and_a_merged_mapping_are_allowed(read):
    found = read("base: &base {lr: 1, seed: 2}\nother:\n  <<: *base\n  lr: 3\nsame: *base")
    assert found["other"] == {"lr": 3, "seed": 2} and found["same"] == {"lr": 1, "seed": 2}


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_settings(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match="it is a folder; expected a file"):
        read_settings(tmp_path)

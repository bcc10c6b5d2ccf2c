"""The page's code: plain modules in two languages, without requests; some of it runs in node."""

import re
from importlib.resources import files

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fullconv.explain.microscope import page as pages
from fullconv.pages.html import read_asset, shared_asset
from node import node

PACKAGE = "fullconv.explain.microscope"
ASSETS = files(PACKAGE).joinpath("assets")
HERE = "../../../explain/microscope/assets"
TEXTS = {name: read_asset(PACKAGE, f"{name}.js") for name in pages.MODULES}


def test_all_modules_are_in_the_page():
    found = {path.name for path in ASSETS.iterdir()}
    found |= {f"chambers/{path.name}" for path in ASSETS.joinpath("chambers").iterdir()}
    assert {f"{name}.js" for name in pages.MODULES} == {n for n in found if n.endswith(".js")}


def test_no_two_modules_declare_a_name():
    pattern = r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)"
    shared = [shared_asset(f"{name}.js") for name in pages.SHARED]
    names = [
        name for text in [*shared, *TEXTS.values()] for name in re.findall(pattern, text, re.M)
    ]
    assert len(names) > 60 and len({*names}) == len(names)


def test_each_module_imports_only_what_comes_before_it():
    known = {*pages.SHARED}
    for name, text in TEXTS.items():
        imported = re.findall(r'^import .*?"([./\w]+)\.js";', text, re.M | re.S)
        assert {path.split("/")[-1] for path in imported} <= known, name
        known.add(name.split("/")[-1])


@pytest.mark.parametrize("name", TEXTS)
def test_no_code_makes_requests_or_parses_html(name):
    assert TEXTS[name].startswith("// @ts-check\n")
    code = re.sub(r"/\*\*.*?\*/", "", TEXTS[name], flags=re.S)
    words = ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch(")
    for word in (*words, "XMLHttp", "import(", "Function("):
        assert word not in code, word


def test_every_text_exists_in_both_languages():
    texts = node(
        f"""globalThis.document = {{ }};
        for (const name of given.names) if (name !== "app") await load("{HERE}/" + name);
        return (await load("../../../pages/assets/language")).TEXTS;""",
        names=list(TEXTS),
    )
    code = "".join(TEXTS.values()) + read_asset(PACKAGE, "page.html")
    for key, (english, chinese) in texts.items():
        assert english and chinese and english != chinese
        slots = [set(re.findall(r"\{\d+\}", text)) for text in (english, chinese)]
        assert slots[0] == slots[1], key
        root = key.removesuffix(".idea")
        used = f'"{key}"' in code or key in ("fewerClasses", "fewerFeatures") or root in TEXT_IDS
        assert used, f"{key} is not used"
    assert all(id in texts and f"{id}.idea" in texts for id in TEXT_IDS)
    named = set(re.findall(r'(?:say\(|text: |label: |new \w+\()"([a-z]\w*(?:\.\w+)?)"', code))
    assert {name for name in named if name in texts or "." in name} <= {*texts}


TEXT_IDS = {name.partition("/")[2] for name in pages.MODULES if "/" in name}


def test_the_functions_stay_as_they_are_written():
    script = pages.page_script()
    for name in ("convolution", "transposedByScattering", "newPositions", "neuron"):
        body = re.search(
            rf"^(?:export )?function {name}\(.*?^}}", "".join(TEXTS.values()), re.M | re.S
        )
        assert body[0].removeprefix("export ") in script


def run(code, **given):
    return node(f'const o = await load("{HERE}/operations"); {code}', **given)


def test_convolutions_are_pytorchs():
    draw = torch.manual_seed(0)
    x = torch.randn(4, 9, 7, generator=draw)
    for settings in (
        {"stride": 1, "padding": 1},
        {"stride": 2, "padding": 3, "dilation": 2},
        {"stride": 3, "groups": 2},
    ):
        weight = torch.randn(6, 4 // settings.get("groups", 1), 3, 3, generator=draw)
        bias = torch.randn(6, generator=draw)
        found = run(
            """const x = { data: Float32Array.from(given.x), channels: 4, height: 9, width: 7 };
            const y = o.convolution(x, { ...given.settings, weight: given.weight, bias: given.bias,
              kernel: 3, channels: 6 });
            return [...y.data];""",
            x=x.flatten().tolist(),
            weight=weight.flatten().tolist(),
            bias=bias.tolist(),
            settings=settings,
        )
        expected = F.conv2d(x[None], weight, bias, **settings)[0]
        np.testing.assert_allclose(found, expected.flatten(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 0)])
@pytest.mark.parametrize("ceil", [False, True])
def test_poolings_are_pytorchs(kernel, stride, padding, ceil):
    x = torch.randn(2, 7, 10, generator=torch.manual_seed(1))
    found = run(
        """const x = { data: Float32Array.from(given.x), channels: 2, height: 7, width: 10 };
        const { maps, indices } = o.maxPool(x, given.settings);
        return { data: [...maps.data], indices: [...indices], size: [maps.height, maps.width] };""",
        x=x.flatten().tolist(),
        settings={"kernel": kernel, "stride": stride, "padding": padding, "ceil": ceil},
    )
    y, indices = F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil, return_indices=True)
    assert found["size"] == list(y.shape[1:])
    np.testing.assert_allclose(found["data"], y.flatten(), rtol=1e-6)
    assert found["indices"] == indices.flatten().tolist()


def test_fractions_are_exact():
    found = node(
        f"""const f = await load("{HERE}/fractions");
        return [f.readFraction("-1.25"), f.readFraction("6/4"), f.readFraction("1/0"),
          f.readFraction("x"), f.add([1, 3], [1, 6]), f.divide([1, 2], [-3, 4]),
          f.fractionText([-1, 2]), f.fractionText([0, 1])];"""
    )
    assert found == [[-5, 4], [3, 2], None, None, [1, 2], [-2, 3], "\N{MINUS SIGN}1/2", "0"]

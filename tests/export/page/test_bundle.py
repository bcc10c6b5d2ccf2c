"""The page's code: small, without frameworks and requests, in two languages."""

import re
import shutil
import subprocess

import pytest

from fullconv.export.page import bundle
from fullconv.pages.html import shared_assets, to_json
from node import ASSETS, node

LOCAL = bundle.CORE + bundle.LOCAL + bundle.WORKER + bundle.HELPER
MODULES = tuple(dict.fromkeys((*LOCAL, *bundle.HOSTED, *bundle.SERVED)))
MOST = 60_000  # bytes


def test_all_modules_are_in_the_page():
    own = {path.name for path in ASSETS.iterdir()} - {"page.html", "page.css"}
    assert own == {f"{name}.js" for name in MODULES} - shared_assets()


def test_our_code_is_small():
    sizes = [
        len(page.encode())
        for page in (
            bundle.local_page({}, {}, ""),
            "".join(bundle.hosted_page({}, {}, "")),
            bundle.served_page({}, "")[0],
        )
    ]
    assert max(sizes) < MOST


@pytest.mark.parametrize("names", [bundle.LOCAL, bundle.HOSTED, bundle.SERVED])
def test_no_two_modules_use_a_name(names):
    for modules in (names, bundle.WORKER, bundle.HELPER):
        modules = (*bundle.CORE, *modules)
        top = top_level(modules)
        assert len(top) > 20 and len(set(top)) == len(top)


def top_level(modules):
    """Return the names that the modules declare outside of functions."""
    pattern = r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)"
    return [
        name
        for module in modules
        for name in re.findall(pattern, bundle.read_asset(f"{module}.js"), re.MULTILINE)
    ]


def test_each_module_imports_only_what_comes_before_it():
    for own in (bundle.LOCAL, bundle.HOSTED, bundle.WORKER, bundle.HELPER):
        names = bundle.CORE + own
        for number, name in enumerate(names):
            imports = re.findall(
                r'^import .*?"[./\w]*/(\w+)\.js"', bundle.read_asset(f"{name}.js"), re.M | re.S
            )
            assert set(imports) <= {*names[:number]}, name


def test_joined_scripts_are_valid():
    program = shutil.which("node") or pytest.skip("needs node (apt-get install nodejs)")
    for names in (
        bundle.CORE,
        bundle.LOCAL,
        bundle.HOSTED,
        bundle.SERVED,
        bundle.WORKER,
        bundle.HELPER,
    ):
        text = bundle.join_modules(names)
        check = [program, "--check", "-"]
        done = subprocess.run(check, input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_texts_in_literals_stay_as_they_are():
    text = 'const a = "x  = 1 // none"; // comment\nconst b = /[ ,]+ \\/ "/g.test(`${ a }, b`);\n'
    found = bundle._TOKEN.sub(lambda match: match["literal"] or match["mark"] or "", text)
    assert found == 'const a="x  = 1 // none";\nconst b=/[ ,]+ \\/ "/g.test(`${ a }, b`);\n'


def test_shorter_forms_mean_the_same_and_literals_stay():
    text = 'const a={b:true,c:[false,0.5,10.5],};f(a,"true,}",`0.5`,x.true,);g(x?true:false);'
    found = bundle._SHORTER.sub(bundle._shorten, text)
    assert found == 'let a={b:!0,c:[!1,.5,10.5]};f(a,"true,}",`0.5`,x.true);g(x?true:!1);'


@pytest.mark.parametrize("name", MODULES)
def test_no_code_makes_requests_or_parses_html(name):
    text = bundle.read_asset(f"{name}.js")
    assert text.startswith("// @ts-check\n")
    text = bundle.join_modules((name,))
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "http",
        "import(",
    ):
        assert word not in text, word
    assert "fetch(" not in text or name in ("server", "hosted")


def test_every_text_exists_in_both_languages():
    messages = node(
        """for (const name of ["messages", "server", "hosted"]) await load(name);
        return (await load("../../../pages/assets/language")).TEXTS;"""
    )
    code = "".join(bundle.read_asset(f"{name}.js") for name in MODULES)
    markup = bundle.read_asset("page.html")
    used = set(re.findall(r'data-(?:text|label)="(\w+)"', markup))
    used |= set(re.findall(r'say\("(\w+)"', code)) | set(re.findall(r'new Refused\("(\w+)"', code))
    assert used <= set(messages)
    for key, (english, chinese) in messages.items():
        assert f'"{key}"' in code + markup, f"{key} is not used"
        assert english and chinese
        slots = [sorted(re.findall(r"\{\d\}", text)) for text in (english, chinese)]
        assert slots[0] == slots[1], key


def test_data_cannot_end_its_element():
    text = to_json({"classes": ["</script><img src=x onerror=alert(1)>", "<!--"]})
    assert "<" not in text
    page = bundle.local_page({"name": "</script>"}, {}, "")
    assert page.count("</script>") == page.count("<script")
    with pytest.raises(ValueError, match="would end its element"):
        bundle.local_page({}, {"onnx": "</SCRIPT>"}, "")


def test_a_served_page_allows_only_its_own_scripts():
    page, policy = bundle.served_page({}, "abc123")
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    assert page.count('nonce="abc123"') == page.count("<script") - 2 + page.count("<style")
    assert "script-src 'nonce-abc123'" in policy and "frame-ancestors 'none'" in policy

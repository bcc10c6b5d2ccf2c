"""Names of output files are unique and stay in their folder; shards partition the inputs."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fullconv.batch.fingerprint import ids_fingerprint
from fullconv.batch.inputs import Input
from fullconv.batch.names import MAX_BYTES, assign_names
from fullconv.batch.sharding import select_shard


def names(*where, **options):
    return [item.name for item in assign_names([Input(w, w) for w in where], **options)]


def test_a_name_is_the_stem_with_folder_and_suffix_where_stems_repeat():
    assert names("x/a.png", "y/b.c.jpg") == ["a", "b.c"]
    assert names("x/a.png", "x/a.jpg", "y/a.png", "z/x/a.png") == [
        *("x__a_png-c6a5782c", "x__a_jpg", "y__a_png", "x__a_png-68810807")
    ]
    assert names("A.png", "a.png") == ["A_png-28e6ae4e", "a_png-7f071235"], (
        "some file systems ignore case"
    )
    assert names("memory://b/ä%20b.png") == ["ä b"]


def test_known_names_are_kept_and_not_reused():
    known = {"x/a.png": "a"}
    assert names("x/a.png", "y/a.png", known=known) == ["a", "y__a_png"]
    assert names("y/b.png", known={"x/b.png": "b"}) == ["b-ab662387"]


hostile = st.one_of(
    st.text(min_size=1),
    st.sampled_from(
        ["..", "../../etc/passwd", "/", "a/..", "\x00", "CON", ".hidden.png", "x" * 400]
    ),
    st.builds("{}/{}.png".format, st.text(), st.text()),
)


@given(st.lists(hostile, unique=True, max_size=8))
def test_every_name_is_a_single_file_in_its_folder(where):
    found = names(*where)
    assert max(Counter(name.casefold() for name in found).values(), default=1) == 1
    for name in found:
        assert Path("out", name + ".png").parent == Path("out") and not name.startswith(".")
        assert len(name.encode("utf-8", "surrogateescape")) <= MAX_BYTES + 12
        assert not set("/\\\0\n") & set(name)


@given(st.lists(hostile, unique=True, max_size=8), st.data())
def test_names_do_not_depend_on_which_of_the_others_are_done(where, data):
    """Shards that start one after the other agree on all names."""
    chosen = dict(zip(where, names(*where), strict=True))
    done = data.draw(st.sets(st.sampled_from(where))) if where else set()
    known = {path: chosen[path] for path in done}
    assert names(*where, known=known) == [*chosen.values()]


@given(st.sets(st.text(max_size=5)), st.integers(1, 5))
def test_shards_partition_the_inputs(ids, count):
    inputs = [Input(input_id, input_id) for input_id in sorted(ids)]
    parts = [select_shard(inputs, (index, count)) for index in range(count)]
    together = [item for part in parts for item in part]
    assert sorted(together, key=lambda item: item.id) == inputs
    more = [*inputs, Input("one more", "")]
    assert all(set(part) <= set(select_shard(more, (i, count))) for i, part in enumerate(parts))


def test_a_fingerprint_ignores_the_order():
    assert ids_fingerprint(["a", "b"]) == ids_fingerprint(["b", "a"]) != ids_fingerprint(["ab"])

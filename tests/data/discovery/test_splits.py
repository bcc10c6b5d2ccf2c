from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullconv.data.discovery.splits import group_of, grouped_split, grouping, hash_split
from fullconv.errors import ConfigError, DataError

NAMES = [f"frame{number:03}" for number in range(50)]
distinct = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=40)


@given(distinct, st.floats(0, 1))
def test_every_sample_is_in_exactly_one_part(names, share):
    parts = hash_split(names, share)
    assert sorted(parts["train"] + parts["val"]) == list(range(len(names)))


@given(distinct, st.randoms())
def test_the_order_of_the_names_does_not_matter(names, random):
    shuffled = random.sample(names, len(names))
    first, second = hash_split(names), hash_split(shuffled)
    assert {names[i] for i in first["val"]} == {shuffled[i] for i in second["val"]}


def test_validation_is_the_first_fifth_by_sha256():
    ranked = sorted(NAMES, key=lambda name: sha256(name.encode()).hexdigest())
    assert {NAMES[index] for index in hash_split(NAMES)["val"]} == set(ranked[:10])


@pytest.mark.parametrize(("count", "val"), [(0, 0), (1, 0), (2, 1), (3, 1), (6, 2), (50, 10)])
def test_the_share_is_rounded_up_and_one_is_left_for_training(count, val):
    assert len(hash_split(NAMES[:count])["val"]) == val


@pytest.mark.parametrize(("share", "val"), [(0, 0), (1, 50), (0.5, 25), (0.999, 49)])
def test_other_shares(share, val):
    assert len(hash_split(NAMES, share)["val"]) == val


CLIPS = [f"clip{clip}_{frame}" for clip in range(7) for frame in range(clip + 1)]


@pytest.mark.parametrize("groups", ["^[^_]+", r"clip(\d)", lambda name: name[:5]])
def test_a_group_stays_in_one_split(groups):
    parts = hash_split(CLIPS, groups=groups)
    train, val = ({CLIPS[index][:5] for index in parts[part]} for part in ("train", "val"))
    assert not train & val
    assert len(parts["val"]) >= 6  # 20 % of 28
    assert train


def test_one_group_cannot_be_split():
    with pytest.raises(DataError, match=r"all 3 samples are of one group, 'a'"):
        hash_split(["a1", "a2", "a3"], groups="a")


def test_one_large_group_does_not_empty_the_training_part():
    for large in "abcdefgh":
        names = [f"{large}{number}" for number in range(9)] + ["z0"]
        assert hash_split(names, groups="[a-z]")["train"]


@pytest.mark.parametrize("large", "abcdefgh")
def test_a_group_of_more_than_half_is_chosen_last(large):
    small = [f"{letter}{number}" for letter in "abcdefgh" if letter != large for number in range(3)]
    names = [f"{large}{number}" for number in range(40)] + small
    val = {names[index] for index in hash_split(names, groups="[a-z]")["val"]}
    assert 13 <= len(val) <= 15 and not any(name.startswith(large) for name in val)
    most = hash_split(names, 0.5, groups="[a-z]")["val"]
    assert len(most) == 21  # too few, but the large one, too, would leave nothing to train on


def test_a_name_without_a_group_is_named():
    with pytest.raises(DataError, match="'odd' belongs to no group"):
        group_of("odd", r"\d+")


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"share of 1\.5"):
        hash_split(NAMES, 1.5)
    with pytest.raises(ConfigError, match="not a regular expression"):
        hash_split(NAMES, groups="(")


@given(distinct, distinct)
def test_as_many_samples_move_as_are_added_at_most(names, more):
    old = {names[index] for index in hash_split(names)["val"]}
    grown = [*names, *(name for name in more if name not in names)]
    new = {grown[index] for index in hash_split(grown)["val"]}
    assert len(old ^ (new & set(names))) <= len(grown) - len(names)


@pytest.mark.parametrize(
    ("rule", "name", "group"),
    [
        ("clip", "0016E5_00390", "0016E5"),
        ("clip", "Seq05VD_f00000", "Seq05VD"),
        ("clip", "aachen_000012_000019", "aachen_000012"),
        ("clip", "walk__frame12", "walk"),
        ("clip", "walk__000012", "walk"),
        ("clip", "leaf12", "leaf"),
        ("clip", "000012", ""),
        ("clip", "street", "street"),
        ("patient", "patient001_frame01", "patient001"),
        ("patient", "sub-01_ses-02", "sub-01"),
        ("patient", "TCGA_CS_4941_19960909_1", "TCGA_CS_4941"),
        ("patient", "P12__slice_3", "P12"),
        ("patient", "heart", "heart"),
        ("tile", "area7_512_1024", "area7"),
        ("tile", "area7_r2_c3", "area7"),
        ("tile", "M-33-20-D-c-4-2_17", "M-33-20-D-c-4"),
        ("tile", "top_potsdam_2_10_RGB", "top_potsdam_2_10_RGB"),
        ("folder", "one__two__a", "one__two"),
        ("folder", "a", ""),
        ("folder:1", "one__two__a", "one"),
        ("folder:2", "one__two__three__a", "one__two"),
        ("_([a-z]+)_", "x_cat_7", "cat"),
        ("^[^_]+", "x_cat_7", "x"),
    ],
)
def test_groups_of_names(rule, name, group):
    assert grouping(rule)(name) == group


def test_groups_of_one_sample_are_refused():
    with pytest.raises(DataError, match=r"no two of the 2 samples are of one group.*'a1'"):
        grouped_split(["a1", "b1"], grouping("patient"))
    assert set(grouped_split(["a1x1", "a1x2", "b"], lambda name: name[0])) == {"train", "val"}
    with pytest.raises(
        ConfigError, match=r"group-by=.* is neither clip, patient, tile, folder nor"
    ):
        grouping("(")

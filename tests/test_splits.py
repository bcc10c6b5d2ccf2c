from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullconv.errors import ConfigError, DataError
from fullconv.splits import group_of, hash_split

NAMES = [f"frame{number:03}" for number in range(50)]
distinct = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=40)


@given(distinct, st.floats(0, 1))
def test_every_sample_is_in_exactly_one_part(names, share):
    parts = hash_split(names, share)
    assert sorted(parts["train"] + parts["val"]) == list(range(len(names)))


@given(distinct, st.randoms())
def test_the_order_of_the_names_does_not_count(names, random):
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
def test_a_group_is_never_torn(groups):
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


def test_a_name_without_a_group_is_named():
    with pytest.raises(DataError, match="'odd' belongs to no group"):
        group_of("odd", r"\d+")


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"share of 1\.5"):
        hash_split(NAMES, 1.5)
    with pytest.raises(ConfigError, match="not a regular expression"):
        hash_split(NAMES, groups="(")

import pytest

from fullconv.errors import UnknownNameError
from fullconv.formats import formats


def test_the_folder_is_the_list():
    assert {"folders", "camvid", "scenes"} <= set(formats)


def test_an_unknown_name_says_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"did you mean 'camvid'.*folders"):
        formats["camvit"]

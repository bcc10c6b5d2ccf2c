"""The same command ten times: the same weights and the same numbers."""

import sys
from pathlib import Path

import pytest

from children import code_of, files, fork, tell, told_by, train

TIMES = 10


@pytest.mark.slow
def test_the_same_command_gives_the_same_bytes(tmp_path):
    assert told_by(__file__, tmp_path) == {"runs": TIMES, "contents": 1, "seeds": 2}


def main(folder):
    import torch

    torch.set_num_threads(1)
    contents = []
    for number in range(TIMES):
        out = folder / str(number)
        assert code_of(fork(lambda out=out: train(out))) == 0
        contents += [found] if (found := files(out)) not in contents else []
    assert code_of(fork(lambda: train(folder / "other", "--seed", 1))) == 0
    other = files(folder / "other")["best.safetensors"] != contents[0]["best.safetensors"]
    tell({"runs": TIMES, "contents": len(contents), "seeds": 1 + other})


if __name__ == "__main__":
    main(Path(sys.argv[1]))

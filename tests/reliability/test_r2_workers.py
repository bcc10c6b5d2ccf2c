"""Data loader processes do not change the result: 0, 1 or 2, also after a kill."""

import sys
from pathlib import Path

import pytest

from children import KILLING, code_of, files, fork, print_result, result_of, train


@pytest.mark.slow
def test_kills_with_varying_workers_do_not_change_the_result(tmp_path):
    found = result_of(KILLING, tmp_path, 6, "0,2,1")
    assert found == {"kills": 6, "survived": 6, "different": []}


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    assert result_of(__file__, tmp_path) == {"runs": 3, "contents": 1}


def main(folder):
    import torch

    torch.set_num_threads(1)
    contents = []
    for workers in range(3):
        out = folder / str(workers)
        assert code_of(fork(lambda out=out, n=workers: train(out, "--workers", n))) == 0
        found = {key: value for key, value in files(out).items() if key != "config.yaml"}
        contents += [found] if found not in contents else []
    print_result({"runs": 3, "contents": len(contents)})


if __name__ == "__main__":
    main(Path(sys.argv[1]))

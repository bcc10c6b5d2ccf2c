"""After a kill, the same command leaves the same files as without, and no temporary ones."""

from pathlib import Path

import pytest

from children import result_of

PROGRAM = Path(__file__).parents[1] / "killing_commands.py"
KILLS = {"convert-data": 12, "convert": 12, "predict": 12, "merge": 12, "export": 2, "check": 8}
KILLS |= {"evaluate": 4}


@pytest.mark.slow
@pytest.mark.parametrize("command", KILLS)
def test_a_killed_command_run_again_leaves_no_orphan(command, tmp_path):
    found = result_of(PROGRAM, tmp_path, command, KILLS[command])
    assert found.pop("kills") >= KILLS[command] - 1
    assert found.pop("left") > 0, "no kill left anything, so the test proves nothing"
    assert found == {"orphans": [], "different": [], "codes": []}

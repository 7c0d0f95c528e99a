"""A real search, read all the while: readers are never refused, and change nothing."""

import json
import subprocess
import time

from tests.blockqnn.searching.test_killed_runs import ROOT, command, finished_trials, result_of


def read(blockqnn, *arguments):
    status, out, err = blockqnn(*arguments, "--format=json")
    # Until a block is trained, show says that none is.
    assert status in (0, 1) and err == "", arguments
    return json.loads(out)


def test_show_and_explain_read_a_run_while_it_is_written(blockqnn, tmp_path):
    alone, watched = tmp_path / "alone", tmp_path / "watched"
    subprocess.run(command(alone), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    iterations, selected, rounds = [], [], 0
    with subprocess.Popen(command(watched), cwd=ROOT, stdout=subprocess.DEVNULL) as search:
        while search.poll() is None:
            # The first iteration of this search has 30 blocks, and perhaps infeasible ones.
            if finished_trials(watched) < 1:
                time.sleep(0.01)
                continue
            status, out, err = blockqnn("explain", watched, "--format=json")
            if status:
                assert not iterations, "what was learned stays"
                assert "learned nothing yet" in err
            else:
                iterations.append(json.loads(out)["iterations"])
                assert sum(v["visits"] for v in json.loads(out)["kind_values"]) > 0
            flags = ("--status=any", "--sort=number", "--order=descending", "--top=1")
            found = read(blockqnn, "show", watched, *flags)
            selected.append(found["selected"])
            last = f"{watched}#{found['best'][0]['number']}"
            story = read(blockqnn, "show", last)["trial"]
            assert story["number"] == found["best"][0]["number"]
            assert read(blockqnn, "show", last, last)["same_block"] is True
            rounds += 1
    assert search.returncode == 0
    assert rounds > 1, "the search was read while it went on"
    assert iterations == sorted(iterations)
    assert selected == sorted(selected)
    assert result_of(watched) == result_of(alone)

    def names(directory):
        files = {path.name for path in directory.iterdir()}
        return {name for name in files if not name.endswith(("-wal", "-shm"))}

    assert names(watched) == names(alone)
    assert read(blockqnn, "explain", watched)["iterations"] == 15

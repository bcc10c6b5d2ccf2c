"""Stages of a run: their settings follow from the run's, and from how they were started."""

from fullconv.config import RunConfig
from fullconv.training import resolve
from fullconv.training.stages import sized_for_last, stages_of
from fullconv.training.working_scale import WorkingScale

CONFIG = RunConfig(
    data="scenes:9", model="fcn16s-vgg11", teacher="t.safetensors", stages=({"stride": 32},)
)


def test_a_stage_that_was_started_keeps_what_was_decided_then(tmp_path):
    stages = list(stages_of(CONFIG, tmp_path))
    assert [stage.as_started() for stage in stages] == stages, "none was started"
    first, last = stages
    first.run.folder.mkdir()
    decided = {"teacher_fingerprint": "0123456789abcdef", "parallel_parts": 2}
    first.run.write_config(first.config.model_copy(update=decided).model_dump(mode="json"))
    again, other = (stage.as_started() for stage in stages_of(CONFIG, tmp_path))
    assert again.config == first.config.model_copy(update=decided)
    assert (again.run, again.initial, other) == (first.run, None, last)


def test_settings_of_the_run_stay_where_nothing_was_decided(tmp_path):
    config = CONFIG.model_copy(update={"parallel_parts": 3})
    first, _ = stages_of(config, tmp_path)
    first.run.folder.mkdir()
    first.run.write_config(CONFIG.model_dump(mode="json"))
    assert first.as_started().config.parallel_parts == 3


def test_all_stages_have_the_size_for_the_last_network(monkeypatch, tmp_path):
    asked = []

    def choose(sizes, stride, field, device):
        asked.append(stride)
        return WorkingScale(0.5, "a reason")

    monkeypatch.setattr(resolve, "choose_scale", choose)
    config = RunConfig(data="scenes:5@32x40", model="fcn8s-vgg11", stages=({"stride": 32},))
    sized = sized_for_last(config)
    assert asked == [8], "the stride of the network that the run ends with"
    assert [stage.config.input_scale for stage in stages_of(sized, tmp_path)] == [0.5, 0.5]
    assert {stage.config.crop for stage in stages_of(sized, tmp_path)} == {sized.crop}
    plain = config.model_copy(update={"stages": ()})
    assert sized_for_last(plain) is plain and asked == [8]

"""Which steps a request means."""

from __future__ import annotations

import pytest

from sinara.errors import UsageError
from sinara.pipeline.request import PipelineRequest, overrides_by_step, request_of
from sinara.pipeline.select import select

NEEDS = {
    "load": [],
    "prep": ["load"],
    "left": ["prep"],
    "right": ["prep"],
    "join": ["left", "right"],
    "other": [],
}


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ({}, "load prep left right join other"),
        ({"select": ("left",)}, "left"),
        ({"select": ("+left",)}, "load prep left"),
        ({"select": ("left+",)}, "left join"),
        ({"select": ("+left+",)}, "load prep left join"),
        ({"select": ("*t",)}, "left right"),
        ({"select": ("other", "load")}, "other load"),
        ({"start": ("prep",)}, "prep left right join"),
        ({"end": ("right",)}, "load prep right"),
        ({"start": ("prep",), "end": ("left",)}, "prep left"),
        ({"only": ("join", "load")}, "join load"),
        ({"only": ("left",), "force": ("left/left", "*")}, "left"),
    ],
)
def test_steps_are_chosen_by_name_and_by_what_they_read(asked, meant):
    assert select(PipelineRequest(**asked), NEEDS) == frozenset(meant.split())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"select": ("lefd",)}, "There is no step 'lefd'. Did you mean 'left'?"),
        ({"only": ("left",), "start": ("right",)}, "No step is all of that"),
        ({"force": ("lefd",)}, "There is no step 'lefd'. Did you mean 'left'?"),
        ({"force": ("lefd/left.ipynb",)}, "There is no step 'lefd'. Did you mean 'left'?"),
    ],
)
def test_what_fits_no_step_is_told(asked, told):
    with pytest.raises(UsageError) as error:
        select(PipelineRequest(**asked), NEEDS)

    assert told in str(error.value)


def test_parameters_go_to_the_step_that_they_name():
    found = overrides_by_step(
        ["left.depth=3", "pipeline_params.mode=fast", "left.url=http://x?a=b"], ["left", "right"]
    )

    assert found == {
        "left": ("depth=3", "pipeline_params.mode=fast", "url=http://x?a=b"),
        "right": ("pipeline_params.mode=fast",),
    }


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("lefd.depth=3", "there is no step 'lefd'. Did you mean 'left'?"),
        ("left=3", "write left.parameter=value"),
    ],
)
def test_a_parameter_of_no_step_is_refused(override, told):
    with pytest.raises(UsageError) as error:
        overrides_by_step([override], ["left"])

    assert told in str(error.value)


def test_a_request_comes_back_from_its_record(tmp_path):
    request = PipelineRequest(
        tmp_path, (tmp_path / "a",), "user", ("a.b=1",), only=("a",), workers=3, timeout=1.5
    )

    assert request_of(request.as_dict()) == request

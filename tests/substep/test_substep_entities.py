"""The object with one attribute per entity."""

from __future__ import annotations

import copy
import pickle

import pytest

from sinara.substep import EntityUrls, UnknownEntityError


@pytest.fixture
def urls() -> EntityUrls:
    """Two entities, one with a dot in its name."""
    return EntityUrls(
        "outputs",
        {"model": "/d/model", "eval.metrics": "/d/eval_metrics"},
        {"model": "u.p.z.s.model", "eval.metrics": "u.p.z.s.eval.metrics"},
    )


def test_a_url_is_a_plain_string(urls):
    assert type(urls.model) is str
    assert urls.model == urls["model"] == "/d/model"


def test_an_entity_with_a_dot_is_found_by_its_name_and_by_its_folder(urls):
    assert urls["eval.metrics"] == urls.eval_metrics == urls["eval_metrics"] == "/d/eval_metrics"
    assert urls.fullname("eval.metrics") == urls.full_eval_metrics == "u.p.z.s.eval.metrics"


def test_names_come_in_the_order_of_the_declaration(urls):
    assert list(urls) == ["model", "eval.metrics"]
    assert len(urls) == 2
    assert "model" in urls
    assert "other" not in urls


@pytest.mark.parametrize(
    "ask", [lambda u: u.modle, lambda u: u["modle"], lambda u: u.fullname("modle")]
)
def test_an_unknown_name_is_answered_with_the_nearest_one(urls, ask):
    with pytest.raises(UnknownEntityError) as raised:
        ask(urls)

    assert str(raised.value) == (
        "outputs: no entity 'modle'; there is model, eval.metrics. Did you mean 'model'?"
    )


def test_asking_whether_there_is_one_works_as_with_any_object(urls):
    assert not hasattr(urls, "other")
    assert getattr(urls, "other", None) is None


def test_completion_offers_the_entities(urls):
    assert dir(urls) == ["eval_metrics", "fullname", "model"]


def test_it_shows_its_entities_and_can_be_copied(urls):
    assert repr(urls) == "outputs:\n  model: /d/model\n  eval.metrics: /d/eval_metrics"
    assert repr(EntityUrls("outputs", {}, {})) == "outputs: none"
    assert copy.deepcopy(urls).model == pickle.loads(pickle.dumps(urls)).model == "/d/model"

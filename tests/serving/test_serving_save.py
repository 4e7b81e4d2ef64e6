"""Services saved, looked at, loaded; models of all kinds; what cannot be served elsewhere."""

from __future__ import annotations

import importlib
import json
import tarfile
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sinara import bentoml as ours
from sinara.errors import CorruptError, MissingExtraError, ServiceError, UsageError
from sinara.serving.entity import origin_of, samples_of
from sinara.serving.values import FILES


def read(path: Path, name: str) -> bytes:
    """One file of a bento's archive."""
    with tarfile.open(path) as tar:
        return tar.extractfile(name).read()


@pytest.fixture
def service(classifier, flowers):
    return ours.make_service(classifier, flowers[0].head(3), name="iris")


def test_an_entity_holds_the_files_that_it_promises(substep, service, saved):
    info = ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)

    place = Path(substep.outputs().service)
    assert sorted(path.name for path in place.iterdir()) == sorted(FILES)
    assert (place / "save_info.txt").read_text() == f"BENTO_SERVICE={info.version}\n"
    assert info.version == f"user.demo.zone.iris.{substep.run_id}"
    assert info.entity == "user.demo.zone.pack.service"
    assert info.weights == (
        "bento.yaml", "src/model.json", "src/model/model.pkl", "src/samples.json"
    )  # fmt: skip
    assert saved().info == info
    assert origin_of(saved()).run_id == substep.run_id


def test_the_samples_hold_what_the_notebook_s_model_predicts(
    substep, service, saved, classifier, flowers
):
    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)

    [sample] = samples_of(saved()).samples
    assert sample.route == "predict"
    assert sample.request["rows"][0] == flowers[0].iloc[0].to_dict()
    assert sample.answer == classifier.predict(flowers[0].head(3)).tolist()


def test_the_packages_are_those_of_this_environment_and_complete(substep, service, saved):
    from importlib.metadata import version

    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)

    lines = (saved().folder / "requirements.txt").read_text().splitlines()
    for name in ("scikit-learn", "pandas", "bentoml", "numpy", "uvicorn", "threadpoolctl"):
        assert f"{name}=={version(name)}" in lines
    assert not any(line.startswith(("sinara", "pytest", "-")) for line in lines)


def test_two_saves_of_one_service_are_the_same_bytes(substep, service, saved):
    first = ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
    archive = (Path(substep.outputs().service) / "bento.tar").read_bytes()
    again = ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)

    if again.epoch == first.epoch:  # by hand a run begins when it is saved
        assert (Path(substep.outputs().service) / "bento.tar").read_bytes() == archive
    with tarfile.open(Path(substep.outputs().service) / "bento.tar") as tar:
        assert {(m.uid, m.gid, m.mode) for m in tar} == {(0, 0, 0o644)}


def test_a_loaded_service_predicts(substep, service, classifier, flowers):
    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)

    loaded = ours.load_bentoservice(substep.outputs().service)

    rows = flowers[0].iloc[[60, 120]].to_dict("records")
    assert (
        loaded.instance.model.predict(rows)
        == classifier.predict(flowers[0].iloc[[60, 120]]).tolist()
    )


@pytest.mark.parametrize("given", ["frame", "rows", "arrow"])
def test_a_loaded_service_is_asked_with_what_the_notebook_has(substep, written, given):
    module = written(
        "telling",
        """
        class Model:
            def predict(self, frame):
                return [str(tuple(row)) for row in frame.itertuples(index=False)]
        """,
    )
    frame = pd.DataFrame({"size": [1.5, None], "name": ["a", None], "count": [1, 2]})
    frame["seen"] = pd.to_datetime(["2026-01-01", None])
    service = ours.make_service(module.Model(), frame)
    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
    loaded = ours.load_bentoservice(substep.outputs().service)

    rows = list(service.sample.rows)
    asked = {"frame": frame, "rows": rows, "arrow": pa.Table.from_pandas(frame)}

    assert loaded.predict(asked[given]) == module.Model().predict(frame)


def test_a_loaded_service_refuses_what_it_would_refuse_when_served(substep, service):
    from bentoml.exceptions import InvalidArgument

    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
    loaded = ours.load_bentoservice(substep.outputs().service)

    with pytest.raises(InvalidArgument, match="The model refuses this"):
        loaded.predict([{"width": "wide"}])


def test_a_service_is_told_in_one_line(substep, service):
    info = ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)

    assert repr(info).startswith(f"ServiceInfo({info.version}, pickle, Python 3.")
    assert len(repr(info)) < 200


def test_two_services_can_be_loaded_in_one_kernel(substep, service, flowers):
    from sklearn.dummy import DummyClassifier

    other = DummyClassifier(strategy="constant", constant=2).fit(*flowers)
    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
    ours.save_bentoservice(
        ours.make_service(other, flowers[0].head(1), name="dummy"), path=substep.outputs().second
    )

    first = ours.load_bentoservice(substep.outputs().service)
    second = ours.load_bentoservice(substep.outputs().second)

    row = flowers[0].head(1).to_dict("records")
    assert first.instance.model.predict(row) == [0]
    assert second.instance.model.predict(row) == [2]
    assert (first.service.name, second.service.name) == ("iris", "dummy")


def test_nothing_is_imported_before_it_is_used(substep, service):
    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)

    loaded = ours.load_bentoservice(substep.outputs().service)

    assert "service" not in loaded.__dict__
    assert (loaded.folder / "src/sinara_service.py").is_file()
    assert loaded.info.name == "iris"


def test_bentoml_takes_the_bento_into_its_own_store(substep, service, tmp_path):
    import bentoml
    from bentoml._internal.bento.bento import BentoStore

    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
    loaded = ours.load_bentoservice(substep.outputs().service)
    (tmp_path / "store").mkdir()

    bento = bentoml.Bento.from_path(str(loaded.folder)).save(BentoStore(tmp_path / "store"))

    assert bento.tag.name == "iris"
    assert bento.info.entry_service == "iris"


# -- classes and bentos --------------------------------------------------------------------


@pytest.fixture
def written(folder: Path):
    """A function that writes a module of the step's and imports it."""

    def write(name: str, text: str):
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        return importlib.import_module(name)

    return write


@pytest.fixture
def adder(written):
    written("helper_of_adder", "def add(a, b):\n    return a + b\n")
    return written(
        "adder_service",
        """
        import pickle
        from pathlib import Path

        import bentoml
        from helper_of_adder import add


        @bentoml.service(name="Adder")
        class Adder:
            def __init__(self):
                place = Path(__file__).parent / "models"
                self.more = pickle.loads((place / "more.pkl").read_bytes())
                self.text = (place / "words.txt").read_text()

            @bentoml.api
            def add(self, a: float, b: float) -> dict:
                return {"sum": add(a, b) + self.more, "text": self.text}
        """,
    ).Adder


@pytest.mark.slow
def test_a_class_takes_its_modules_and_models_along(substep, adder, folder, saved):
    (folder / "words.txt").write_text("hello")

    info = ours.save_bentoservice(
        adder,
        substep=substep,
        path=substep.outputs().service,
        models={"more": 10, "words": folder / "words.txt"},
        samples=[("add", {"a": 1, "b": 2})],
    )

    [sample] = samples_of(saved()).samples
    assert sample.answer == {"sum": 13.0, "text": "hello"}
    assert info.kind == "class"
    assert {"src/models/more.pkl", "src/models/words.txt", "bento.yaml"} <= set(info.weights)
    archive = saved().archive
    assert b"def add" in read(archive, "src/helper_of_adder.py")
    loaded = ours.load_bentoservice(substep.outputs().service)
    assert loaded.add(a=1, b=1) == {"sum": 12.0, "text": "hello"}
    assert importlib.import_module("adder_service").Adder is adder


def test_a_class_of_the_notebook_itself_is_refused(substep, adder, monkeypatch):
    monkeypatch.setattr(adder.inner, "__module__", "__main__")

    with pytest.raises(UsageError, match="defined in this notebook"):
        ours.save_bentoservice(adder, substep=substep, path=substep.outputs().service)


def test_a_class_that_needs_sinara_is_refused(substep, written):
    service = written(
        "with_sinara",
        """
        import bentoml
        from sinara.archive import SinaraArchive

        @bentoml.service
        class Uses:
            @bentoml.api
            def ask(self) -> int:
                return 1
        """,
    ).Uses

    with pytest.raises(UsageError, match=r"with_sinara\.py.*needs sinara"):
        ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)


def test_a_built_bento_is_saved_without_its_indexes(substep, written, tmp_path, monkeypatch):
    """BentoML writes the addresses of indexes, with their passwords, into a bento."""
    import bentoml
    from bentoml._internal.bento.bento import BentoStore
    from bentoml._internal.bento.build_config import BentoEnvSchema

    (tmp_path / "store").mkdir()
    context = tmp_path / "context"
    context.mkdir()
    (context / "small_service.py").write_text(
        "import bentoml\n\n@bentoml.service\n"
        "class Small:\n    @bentoml.api\n    def ask(self) -> int:\n        return 1\n"
    )
    index = "https://me:hunter2@pypi.example.org/simple"
    bento = bentoml.bentos.build(
        "small_service:Small",
        build_ctx=str(context),
        envs=[BentoEnvSchema(name="TOKEN", value="hunter3")],
        python={"packages": ["numpy"], "index_url": index, "lock_packages": False},
        _bento_store=BentoStore(tmp_path / "store"),
    )
    assert any(
        b"hunter2" in path.read_bytes() for path in Path(bento.path).rglob("*") if path.is_file()
    )

    info = ours.save_bentoservice(bento, substep=substep, path=substep.outputs().service)

    assert info.kind == "bento"
    for path in Path(substep.outputs().service).iterdir():
        assert b"hunter" not in path.read_bytes()
    archive = Path(substep.outputs().service) / "bento.tar"
    assert read(archive, "env/python/requirements.txt").startswith(b"a2wsgi==")


def test_a_service_of_the_old_kind_is_answered_with_what_to_do(substep):
    class BentoService:
        """Stands for the base class of BentoML 0.13, which no Python that we run on can import."""

    class Old(BentoService):
        pass

    with pytest.raises(UsageError, match=r"older BentoML.*make_service"):
        ours.save_bentoservice(Old(), substep=substep, path=substep.outputs().service)


# -- formats -------------------------------------------------------------------------------


def test_an_onnx_file_is_served_with_its_weights_beside_it(substep, tmp_path, saved):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.arange(8, dtype="float32").reshape(4, 2)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "times",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "times.onnx"
    onnx.save_model(
        model, str(path), save_as_external_data=True, location="times.onnx.data", size_threshold=0
    )
    rows = np.ones((3, 4), dtype="float32")

    info = ours.save_bentoservice(
        ours.make_service(path, rows), substep=substep, path=substep.outputs().service
    )

    assert info.format == "onnx"
    assert {"src/model/times.onnx", "src/model/times.onnx.data"} <= set(info.weights)
    assert samples_of(saved()).samples[0].answer == [[12.0, 16.0]] * 3
    loaded = ours.load_bentoservice(substep.outputs().service)
    assert loaded.instance.model.predict([[0, 0, 0, 1]]) == [[6.0, 7.0]]
    assert "onnxruntime==" in (saved().folder / "requirements.txt").read_text()


def test_a_torch_module_is_exported(substep, saved):
    torch = pytest.importorskip("torch", reason="pip install torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    rows = np.ones((2, 3), dtype="float32")

    info = ours.save_bentoservice(
        ours.make_service(model, rows), substep=substep, path=substep.outputs().service
    )

    expected = model(torch.ones(5, 3)).detach().numpy()
    assert info.format == "torch"
    loaded = ours.load_bentoservice(substep.outputs().service)
    answers = loaded.instance.model.predict(np.ones((5, 3)).tolist())
    np.testing.assert_allclose(answers, expected, rtol=1e-5)


class Defined:
    """A model whose class is of a module of the step's."""

    def predict(self, rows):
        return [len(rows)] * len(rows)


def test_a_model_of_the_notebook_s_own_class_is_refused(substep, monkeypatch):
    monkeypatch.setattr(Defined, "__module__", "__main__")
    monkeypatch.setattr(importlib.import_module("__main__"), "Defined", Defined, raising=False)

    with pytest.raises(UsageError, match="Defined is defined in this notebook"):
        ours.save_bentoservice(
            ours.make_service(Defined(), ["a"]), substep=substep, path=substep.outputs().service
        )


def test_a_model_of_the_step_s_own_module_takes_it_along(substep, written, saved):
    module = written(
        "own_model",
        """
        class Model:
            def predict(self, rows):
                return [len(row) for row in rows]
        """,
    )

    ours.save_bentoservice(
        ours.make_service(module.Model(), ["a", "bcd"]),
        substep=substep,
        path=substep.outputs().service,
    )

    assert b"class Model" in read(saved().archive, "src/own_model.py")
    assert samples_of(saved()).samples[0].answer == [1, 3]


@pytest.mark.parametrize(
    ("model", "method", "told"),
    [
        (lambda rows: rows, "__call__", "cannot be pickled"),
        (object(), "predict", "has no method 'predict'"),
        ("model.bin", "predict", "is no .onnx file"),
        ("none.onnx", "predict", "is not there"),
    ],
)
def test_a_model_that_cannot_be_written_is_told_in_one_line(substep, model, method, told):
    with pytest.raises(UsageError) as caught:
        ours.save_bentoservice(
            ours.make_service(model, ["a"], method=method),
            substep=substep,
            path=substep.outputs().service,
        )

    assert told in str(caught.value)
    assert not (Path(substep.outputs().service) / "service.json").exists()


def test_a_model_that_refuses_its_sample_is_told(substep, classifier):
    with pytest.raises(UsageError, match="does not predict for the sample"):
        ours.save_bentoservice(
            ours.make_service(classifier, pd.DataFrame({"x": [1.0]})),
            substep=substep,
            path=substep.outputs().service,
        )


@pytest.mark.parametrize("name", ["a b", "$(id)", "../x", "x\ny", ""])
def test_a_bad_name_is_refused(classifier, flowers, name):
    with pytest.raises(Exception, match="service name"):
        ours.make_service(classifier, flowers[0].head(1), name=name)


def test_a_version_that_would_be_a_command_is_refused(substep, service):
    with pytest.raises(UsageError, match="service_version"):
        ours.save_bentoservice(
            service, path=substep.outputs().service, service_version="x\nBENTO_SERVICE=$(id)"
        )


def test_a_path_that_is_no_output_is_refused(substep, service, tmp_path):
    with pytest.raises(UsageError, match="no output of this substep; there is second, service"):
        ours.save_bentoservice(service, substep=substep, path=str(tmp_path / "x"))


def test_without_bentoml_the_extra_is_named(substep, service, monkeypatch):
    import importlib.metadata

    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)

    with pytest.raises(MissingExtraError, match=r"sinara\[bento\]"):
        ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)


# -- damage --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_noticed_before_anything_is_imported(substep, service, name):
    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
    path = Path(substep.outputs().service) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises((CorruptError, ServiceError)):
        ours.load_bentoservice(substep.outputs().service)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed(substep, service, name):
    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
    (Path(substep.outputs().service) / name).unlink()

    with pytest.raises((CorruptError, ServiceError)) as caught:
        ours.load_bentoservice(substep.outputs().service)

    assert "\n" not in str(caught.value)


def test_what_lies_in_an_env_and_is_in_no_log_is_not_loaded(substep, service):
    """A service is code: nobody knows who put it there."""
    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
    place = Path(substep.outputs().service)
    forged = place.parents[1] / "run-26-01-01-000000" / "service"
    forged.parent.mkdir()
    place.rename(forged)

    with pytest.raises(ServiceError, match="cannot be loaded"):
        ours.load_bentoservice(str(forged))


def test_a_link_to_it_does_not_help(substep, service, tmp_path):
    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
    place = Path(substep.outputs().service)
    forged = place.parents[1] / "run-26-01-01-000000" / "service"
    forged.parent.mkdir()
    place.rename(forged)
    (tmp_path / "link").symlink_to(forged)

    with pytest.raises(ServiceError, match="cannot be loaded"):
        ours.load_bentoservice(str(tmp_path / "link"))


def test_an_archive_of_a_newer_kind_says_to_upgrade(substep, service):
    ours.save_bentoservice(service, substep=substep, path=substep.outputs().service)
    path = Path(substep.outputs().service) / "service.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))

    with pytest.raises(ServiceError, match="Upgrade"):
        ours.load_bentoservice(substep.outputs().service)

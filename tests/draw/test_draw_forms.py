"""SVG, DOT, Mermaid, JSON, PNG: complete, well-formed, and safe with any text in them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from sinara.draw import Picture, as_json, dot, mermaid, page, png, svg, text
from sinara.errors import MissingExtraError, UsageError
from sinara.graph import Problem
from tests.draw.graphs import CHAIN, CIRCLE, graph_of, history_of
from tests.report.xss_payloads import PAYLOADS

ODD = [
    "{a|b}",
    "<b>",
    'quo"te',
    "back\\slash",
    "line\nbreak",
    "\x00\x07",
    "\ud800",
    "--> end",
    "]]>",
    "&amp;",
    "#quot;",
    "日本語",
    "‮rtl",
]


def hostile(word: str):
    """A graph with a text in every field that holds one."""
    graph = graph_of(CHAIN, name=word)
    steps = tuple(
        replace(step, name=word, folder=f"/x/{word}", substeps=tuple(
            replace(sub, name=word, parameters=((word, word),)) for sub in step.substeps))
        for step in graph.steps
    )  # fmt: skip
    entities = tuple(replace(e, name=word, full_name=word) for e in graph.entities)
    problem = Problem(
        "error",
        "cycle",
        word,
        (graph.steps[0].id, graph.entities[0].id),
        ((graph.edges[0].source, graph.edges[0].target),),
    )
    graph = replace(graph, steps=steps, entities=entities, problems=(problem,))
    history = history_of(graph, columns=((word, word),))
    runs = {
        id_: replace(run, status=word, started=word, run_id=word)
        for id_, run in history.steps.items()
    }
    return graph, replace(history, steps=runs)


@pytest.mark.parametrize("word", [*ODD, *PAYLOADS[:60]])
def test_any_text_leaves_the_svg_well_formed_and_without_anything_active(word):
    drawn = svg(*hostile(word))

    root = ET.fromstring(drawn.encode("utf-8"))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {
        "svg",
        "title",
        "style",
        "defs",
        "g",
        "circle",
        "path",
        "marker",
        "rect",
        "text",
        "use",
    }
    links = {v for e in root.iter() for k, v in e.attrib.items() if k.rpartition("}")[2] == "href"}
    assert links <= {"#ok", "#bad", "#run", "#odd"}
    assert not [k for e in root.iter() for k in e.attrib if k.lower().startswith("on")]


def test_every_name_is_in_the_svg_with_status_rows_and_change():
    graph = graph_of(CHAIN, name="wine")

    drawn = svg(graph, history_of(graph, rows_before=100))

    texts = " ".join(ET.fromstring(drawn).itertext())
    for word in (
        "wine",
        "load",
        "prep",
        "s1.ipynb",
        "raw",
        "model",
        "80 rows",
        "1.2 kB",
        "▼ 20 %",
        "2.5 s",
        "succeeded",
    ):
        assert word in texts


def test_what_fell_and_what_is_wrong_is_red_and_told():
    graph = graph_of(CIRCLE)

    drawn = svg(graph, history_of(graph, fell=True))

    root = ET.fromstring(drawn)
    red = [
        p
        for p in root.iter("{http://www.w3.org/2000/svg}path")
        if "w" in p.get("class", "").split()
    ]
    assert len(red) == len(graph.edges)
    assert "read from each other" in " ".join(root.itertext())
    assert [
        p
        for p in root.iter("{http://www.w3.org/2000/svg}path")
        if "b" in p.get("class", "").split()
    ]


@pytest.mark.parametrize("word", ODD)
def test_any_text_is_one_label_for_dot(word):
    source = dot(*hostile(word))

    if shutil.which("dot") is None:
        pytest.skip("needs Graphviz: apt-get install -y graphviz")
    done = subprocess.run(
        ["dot", "-Tjson0"],
        input=source.encode("utf-8", "backslashreplace"),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    drawn = json.loads(done.stdout)
    assert len([o for o in drawn["objects"] if o["name"].startswith("cluster")]) == 4
    assert len([o for o in drawn["objects"] if not o["name"].startswith("cluster")]) == 11
    assert len(drawn["edges"]) == 11


@pytest.mark.parametrize("word", ODD)
def test_any_text_stays_in_its_quotes_in_mermaid(word):
    lines = mermaid(*hostile(word)).splitlines()

    bare = [re.sub(r'"[^"]*"', '""', line).strip() for line in lines]
    allowed = (
        r'flowchart LR|subgraph s\d+\[""\]|end|s\d+n\d+\[""\]:::substep|e\d+\(\[""\]\):::entity'
        r'|\w+ (-- "" )?--> \w+|classDef .*|class [\w,]+ problem|linkStyle .*'
    )
    assert not [line for line in bare if not re.fullmatch(allowed, line)]


def test_json_holds_everything():
    graph = graph_of(CHAIN)

    made = json.loads(json.dumps(as_json(graph, history_of(graph, columns=(("x", "int64"),)))))

    assert made["schema_version"] == 1
    assert [step["name"] for step in made["steps"]] == ["eval", "load", "prep", "train"]
    assert made["steps"][2]["substeps"][0]["interface"]["inputs"] == [
        {"STEP_NAME": "load", "ENTITY_NAME": "raw"}
    ]
    assert made["edges"][0]["data"]["rows"] == 80
    assert made["steps"][0]["last_run"]["status"] == "succeeded"
    assert len(made["edges"]) == len(graph.edges)


def test_a_png_shows_the_picture_at_twice_its_size():
    pytest.importorskip("resvg_py")
    drawn = svg(graph_of(CHAIN))
    width = int(re.search(r'width="(\d+)"', drawn)[1])

    made = png(drawn)

    assert made.startswith(b"\x89PNG")
    assert int.from_bytes(made[16:20], "big") == 2 * width


def test_a_huge_png_is_made_smaller():
    pytest.importorskip("resvg_py")

    made = png(
        '<svg xmlns="http://www.w3.org/2000/svg" width="60000" height="9000"><style></style></svg>'
    )

    assert int.from_bytes(made[16:20], "big") <= 30_000


def test_a_png_without_its_extra_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)

    with pytest.raises(MissingExtraError, match=r"sinara\[png\]"):
        png(svg(graph_of(CHAIN)))


def test_a_pdf_without_graphviz_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="apt-get install graphviz"):
        Picture(graph_of(CHAIN)).save(tmp_path / "x.pdf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["svg", "html", "png", "dot", "gv", "mmd", "json"])
def test_a_picture_is_saved_by_its_suffix(tmp_path, suffix):
    saved = Picture(graph_of(CHAIN)).save(tmp_path / f"x.{suffix}")

    assert saved.stat().st_size > 500
    assert [p.name for p in tmp_path.iterdir()] == [f"x.{suffix}"]


def test_an_unknown_suffix_and_a_place_that_cannot_be_written_are_told(tmp_path):
    picture = Picture(graph_of(CHAIN))

    with pytest.raises(UsageError, match="the suffix says how to draw"):
        picture.save(tmp_path / "x.jpeg")
    with pytest.raises(UsageError, match="cannot be written"):
        picture.save(tmp_path / "missing" / "x.svg")


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "g.svg").mkdir()

    with pytest.raises(UsageError, match="cannot be written"):
        Picture(graph_of(CHAIN)).save(tmp_path / "g.svg")

    assert [path.name for path in tmp_path.iterdir()] == ["g.svg"]


def test_a_notebook_keeps_the_picture_as_a_static_svg():
    bundle = Picture(graph_of(CIRCLE))._repr_mimebundle_()

    assert bundle["image/svg+xml"].startswith("<svg")
    assert "cycle" not in bundle["text/plain"].splitlines()[0]
    assert "read from each other" in bundle["text/plain"]


def test_reports_are_linked_beside_the_page_and_never_by_another_scheme(tmp_path):
    report = tmp_path / "javascript:x" / "a b#.html"
    report.parent.mkdir()
    report.write_text("x")
    graph = graph_of(CHAIN)

    Picture(graph, history_of(graph, str(report))).save(tmp_path / "g.html")

    data = json.loads(re.search(r'id="data">(.*?)</script>', (tmp_path / "g.html").read_text())[1])
    assert {n["u"] for n in data["nodes"] if "u" in n} == {"./javascript%3Ax/"}
    assert {n["r"][2] for n in data["nodes"] if "r" in n} == {"\ta%20b%23.html"}


@pytest.mark.parametrize("word", [*ODD, *PAYLOADS[:60]])
def test_the_page_holds_no_script_but_its_own(word):
    made = page(*hostile(word))

    assert len(re.findall(r"<script", made)) == 2
    assert len(re.findall(r"</script", made)) == 2
    assert "default-src 'none'" in made


def test_no_text_of_the_page_turns_or_hides_what_is_beside_it():
    made = page(*hostile("a\u202eb\x1b[31m\u2066c"))

    data = re.search(r'id="data">(.*?)</script>', made)[1]
    assert "u202eb" in data
    assert all(text.lstrip("\t").isprintable() for text in _texts(json.loads(data)))
    shown = Picture(*hostile("a\u202eb\x1b[31m\nc"))._repr_mimebundle_()["text/plain"]
    assert [line.isprintable() for line in shown.split("\n")] == [True, True]


def _texts(value):
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inside for text in _texts(each)]


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [(80, 100, "▼ 20 %"), (103, 100, "▲ 3 %"), (5, 5, "±0"), (5, 0, "▲ from 0"), (None, 3, ""), (3, None, ""), (5000, 10, "▲ 500 times")],
)  # fmt: skip
def test_a_change_is_told_as_people_read_it(now, before, told):
    assert text.change(now, before) == told


def test_long_names_lose_their_middle():
    short = text.shorten("a" * 40 + "_end.ipynb", 13, 150)

    assert text.width(short, 13) <= 150
    assert short.startswith("aaa")
    assert short.endswith(".ipynb")
    assert "…" in short


def test_the_page_of_a_large_pipeline_stays_small(tmp_path: Path):
    steps = {
        f"s{n:03d}": [([f"s{n - 10:03d}.e0"] if n >= 10 else [], ["e0"])]
        + [([f"s{n:03d}.e{k - 1}"], [f"e{k}"]) for k in (1, 2, 3)]
        for n in range(250)
    }
    graph = graph_of(steps)

    assert len(page(graph, history_of(graph)).encode()) < 1_000_000

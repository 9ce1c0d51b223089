from __future__ import annotations

from pathlib import Path

import pytest

from storewise.core.errors import ConfigError
from storewise.engine.pipeline import read_pipeline
from storewise.engine.registry import registry

HOME = Path(__file__).parents[2] / "pipelines" / "home.toml"


def read(tmp_path: Path, text: str):  # type: ignore[no-untyped-def]
    file = tmp_path / "p.toml"
    file.write_text(text)
    return read_pipeline(file, registry())


def test_the_shipped_pipeline_is_valid() -> None:
    pipeline = read_pipeline(HOME, registry())
    assert pipeline.name == "home"
    assert pipeline.selection.candidates == "auto"
    assert pipeline.fallback.ladder == ("popular_in_category", "popular")


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ('name = "home"\nsolt = "home"\n', "line 2", "did you mean 'slot'"),
        ('name = "home"\n[policy]\n\nrepeat = "hide"\n', "line 4", "did you mean 'repeats'"),
        ('name = "home"\n[selection]\nminutes = 0\n', "line 3", "'minutes' is 0"),
        ('name = "Home"\n', "line 1", "'name' is 'Home'"),
        ('name = "home"\n[selektion]\nminutes = 1\n', "line 2", "did you mean 'selection'"),
        ('name = "home"\n[fallback]\nladder = ["best"]\n', "line 3", "ladder"),
        ('name = "home"\n[retriever]\nuse = "retrieve.item_kn.v1"\n', "line 3", "retrieve.item_kn.v1"),
        ('name = "home"\n[rank]\nuse = "sometimes"\n', "line 3", "'use' is 'sometimes'"),
        ('name = "home"\n[rank]\ncomponent = "rank.lamdamart.v1"\n', "line 3", "rank.lamdamart.v1"),
        ('name = "home"\n[objective]\nvalue = 2\n', "line 3", "'value' is 2"),
        ('name = "home"\n[eligibility]\nonce = ["x"]\n', "line 3", "'once' is not a known key"),
        ('name = "home"\n[explore]\nuse = "explore.tomson.v1"\n', "line 3", "explore.tomson.v1"),
        ('name = "home"\n[fallback]\ndeadline_ms = 0\n', "line 3", "'deadline_ms' is 0"),
        ('name = "home"\n[[rerank]]\nuse = "rerank.mmmr.v1"\n', "line 2", "rerank.mmmr.v1"),
        ('name = "home"\n[selection]\ncandidates = ["retrieve.popula.v1"]\n', "line 3", "retrieve.popula.v1"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_hint(tmp_path: Path, text: str, line: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert line in str(caught.value)
    assert told in str(caught.value)


def test_an_unknown_key_of_a_component_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neighbours"):
        read(
            tmp_path, 'name = "home"\n[retriever]\nuse = "retrieve.item_knn.v1"\nconfig = { neighbors = 3 }\n'
        )


def test_the_hash_tells_content_apart_and_not_the_order(tmp_path: Path) -> None:
    one = read(tmp_path, 'name = "home"\nn = 5\n')
    assert one.hash == read(tmp_path, 'n = 5\nname = "home"\n').hash
    assert one.hash != read(tmp_path, 'name = "home"\nn = 6\n').hash


def test_rerank_steps_keep_their_order_and_their_config_is_checked(tmp_path: Path) -> None:
    text = (
        'name = "home"\n[[rerank]]\nuse = "rerank.mmr.v1"\nconfig = { diversity = 0.1 }\n'
        '[[rerank]]\nuse = "rerank.category_cap.v1"\n'
    )
    assert [step.use for step in read(tmp_path, text).rerank] == ["rerank.mmr.v1", "rerank.category_cap.v1"]
    with pytest.raises(ConfigError, match="'diversity' is 2"):
        read(tmp_path, text.replace("0.1", "2"))
    with pytest.raises(ConfigError, match=r"each step as \[\[rerank\]\]"):
        read(tmp_path, 'name = "home"\n[rerank]\nuse = "rerank.mmr.v1"\n')

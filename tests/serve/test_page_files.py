"""The files of the page: how they are sent, and rules that hold for all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import storewise.serve
from storewise.data.sources.retail.outcomes import RULES
from storewise.engine.predictions.words import WORDS
from storewise.predict.targets import TARGETS
from storewise.serve.routes import page

STATIC = Path(storewise.serve.__file__).parent / "static"
SCRIPTS = sorted(p for p in STATIC.rglob("*.js"))
STRING = re.compile(r'^  "([^"]+)": "((?:[^"\\]|\\.)*)",$', re.M)


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    app.include_router(page.router)
    return TestClient(app)


def strings(language: str) -> dict[str, str]:
    files = sorted((STATIC / "strings").glob(f"*{language}.js"))
    files = [file for file in files if file.name != "reasons_zh.js"]
    return dict(pair for file in files for pair in STRING.findall(file.read_text(encoding="utf-8")))


def test_the_page_allows_only_its_own_files(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    rules = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == rules["img-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "{version}" not in answer.text


def test_the_page_has_no_inline_script_or_style_and_nothing_from_elsewhere(client: TestClient) -> None:
    html = client.get("/").text
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"<style|\bstyle=|\bon\w+=", html) == []
    assert re.findall(r"https?://", html) == []


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("strings/zh.js", "text/javascript; charset=utf-8"),
        ("base.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_files_have_their_type_and_are_kept_for_good(
    client: TestClient, name: str, content_type: str
) -> None:
    answer = client.get(f"/static/{page.VERSION}/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == content_type
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.content == (STATIC / name).read_bytes()
    without_version = client.get(f"/static/{name}")
    assert without_version.headers["cache-control"] == "no-cache"
    assert without_version.content == answer.content


def test_every_file_the_page_names_is_there(client: TestClient) -> None:
    named = re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get("/").text)
    assert len(named) > 5
    assert [name for name in named if client.get(name).status_code != 200] == []


def test_the_page_is_not_sent_twice(client: TestClient) -> None:
    first = client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": f'W/{first.headers["etag"]}, "x"'})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/", headers={"If-None-Match": '"x"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "nothing.js",
        "../app.py",
        "..%2f..%2fapp.py",
        "%2e%2e/%2e%2e/app.py",
        "strings/",
        "",
        "docs.html",
        "index.html",
    ],
)
def test_there_is_no_way_out_of_the_folder(client: TestClient, path: str) -> None:
    answer = client.get(f"/static/{path}")
    assert answer.status_code == 404
    assert b"create_app" not in answer.content
    if answer.headers["content-type"] == "application/json" and "error" in answer.json():
        assert answer.json()["error"]["next_step"] == "Open the page at /."


def test_a_changed_file_changes_the_version(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1", encoding="utf-8")
    (tmp_path / "note.txt").write_text("not served", encoding="utf-8")
    before = page.read_folder(tmp_path)
    assert list(before) == ["a.js"]
    (tmp_path / "a.js").write_text("2", encoding="utf-8")
    assert page.version_of(before) != page.version_of(page.read_folder(tmp_path))


def test_both_languages_have_the_same_strings() -> None:
    english, chinese = strings("en"), strings("zh")
    assert len(english) > 150
    plural = {key for key in english if key.endswith(".one")}  # Chinese has no plural
    assert set(english) - plural == set(chinese)
    holes = {
        key: (set(re.findall(r"\{\w+\}", english[key])), set(re.findall(r"\{\w+\}", chinese[key])))
        for key in chinese
    }
    assert {key: pair for key, pair in holes.items() if pair[0] != pair[1]} == {}


def test_every_reason_of_the_embedded_data_is_in_chinese_too() -> None:
    text = (STATIC / "strings" / "reasons_zh.js").read_text(encoding="utf-8")
    exact = dict(STRING.findall(text))
    patterns = [re.compile(found) for found in re.findall(r"^  \[/(.+)/, \"", text, re.M)]
    reasons = {rule.reason for rule in RULES} | {"one title", "one country", "never sold at a price"}
    missing = {r for r in reasons if r not in exact and not any(p.search(r) for p in patterns)}
    assert missing == set()
    assert len(reasons) > 25


def test_chinese_strings_are_chinese() -> None:
    names = {"MAP", "MRR", "NDCG", "RMSE", "MAE", "Storewise {version}"}
    untranslated = {k: v for k, v in strings("zh").items() if not re.search(r"[一-鿿]", v) and v not in names}
    assert untranslated == {}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_feature_of_predictions_has_its_words(language: str) -> None:
    known = strings(language)
    for start in ("feature.", "says."):
        assert {
            key.removeprefix(start).removesuffix(".one") for key in known if key.startswith(start)
        } == set(WORDS)
    assert {key.removeprefix("target.") for key in known if key.startswith("target.")} == set(TARGETS)


def test_every_feature_is_written_in_one_way() -> None:
    """The page writes values as words.py does: what takes a value has a place for it, amounts are those of WORDS."""
    table = re.findall(
        r'^  (\w+): "([a-z0-9_ ]+)",$', (STATIC / "features.js").read_text(encoding="utf-8"), re.M
    )
    ways = {way: names.split() for way, names in table}
    named = [name for names in ways.values() for name in names]
    assert len(named) == len(set(named))
    assert set(named) <= set(WORDS)
    assert set(ways["money"]) == {name for name, (_, say) in WORDS.items() if isinstance(say, str)}
    for language in ("en", "zh"):
        bare = {name for name in WORDS if "{x}" not in strings(language)[f"says.{name}"]}
        assert bare == set(ways["fixed"])
    # what is a logarithm or a number of days by its name is written as one
    assert {n for n in WORDS if n.endswith("_log")} == {*ways["power"], *ways["money"]}
    assert {n for n in WORDS if n.endswith("recency_days")} <= set(ways["ago"])
    assert {n for n in WORDS if n.endswith("_share")} <= set(ways["share"])


def test_no_english_is_left_in_chinese_strings() -> None:
    names = {
        "BG/NBD",
        "NDCG",
        "MAP",
        "MRR",
        "RMSE",
        "MAE",
        "AUC",
        "PR-AUC",
        "CUPED",
        "A/B",
        "API",
        "Tweedie",
        "Storewise",
        "p",
    }
    told = {key: re.sub(r"\{\w+\}", "", text) for key, text in strings("zh").items()}
    left = {key: set(re.findall(r"[A-Za-z][A-Za-z/-]*", text)) - names for key, text in told.items()}
    assert {key: words for key, words in left.items() if words} == {}
    assert len(told) > 500


def test_every_string_exists_and_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS if path.parent.name != "strings")
    keys = set(strings("en"))
    exact = set(re.findall(r'\bt(?:Or)?\(\s*"([\w.]+)"', code))
    assert exact - keys == set()
    # Keys are also made (`step.${name}`), chosen (cond ? "a" : "b") or handed on.
    written = set(re.findall(r'"([a-z]+\.[\w.]+)"', code)) | {
        key
        for key in keys
        for start, end in re.findall(r"`([\w.]+\.)\$\{[^}]+\}([\w.]*)`", code)
        if re.fullmatch(re.escape(start) + r"\w+" + re.escape(end), key)
    }
    written |= {key for key in keys if key.endswith("Help") and key.startswith("quality.")}
    written |= {key for key in keys if key.endswith("Long") and key.startswith("product.")}
    written |= {f"{key}.one" for key in written}
    assert keys - written - exact == set()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_scripts_never_make_markup_of_text(path: Path) -> None:
    code = path.read_text(encoding="utf-8")
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|srcdoc|\.cssText"
    assert re.findall(sinks, code) == []
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", code) == []
    assert len(code.splitlines()) <= 300

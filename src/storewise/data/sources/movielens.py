"""MovieLens 100K: ratings of films by users (F. M. Harper, J. A. Konstan, ACM TiiS 5(4), 2015).

A folder with u.data, u.item, u.genre and u.user as GroupLens publishes them, in Latin-1. Its terms forbid to pass the
data on, so users bring their own copy: https://grouplens.org/datasets/movielens/100k/.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from storewise.core.errors import DataError
from storewise.core.progress import Progress, step
from storewise.data.schema import CUSTOMERS, EVENTS, PRODUCTS, UTC_TIME, Report, ShopTables
from storewise.data.sources.folder import find_all
from storewise.data.sources.raw import read_bytes
from storewise.data.sources.sift import EVERYTHING_ELSE, Rule, sift

_RATING = ("user", "item", "rating", "time")
_FILM = ("product_id", "title", "released", "video", "url")
_USER = ("customer_id", "age", "gender", "occupation", "zip")
_BEST = 5


def load(path: Path | None, *, progress: Progress) -> ShopTables:
    """Events of kind ``rating`` (value 1 to 5, in time order), films with their genres, users.

    A film's category is its first genre in the order of u.genre; all genres, the year and the address at
    IMDb are in ``attributes`` ("unknown" is no genre). Users' zip codes are left out.

    Raises:
        DataError: a file is missing, empty or has another number of columns.
    """
    ratings_file, films_file, genres_file, users_file = find_all(
        path, "movielens", ("u.data",), ("u.item",), ("u.genre",), ("u.user",)
    )
    with step(progress, "reading films and users"):
        genres = _table(genres_file, ("genre", "number"), "|").sort(pl.col("number").cast(pl.Int32))
        films = _table(films_file, (*_FILM, *genres["genre"]), "|")
        users = _table(users_file, _USER, "|")
    with step(progress, "reading ratings"):
        ratings = _table(ratings_file, _RATING, "\t")
        kept, out, report = _ratings(ratings, films["product_id"])
    report.add("products", "kept", "film", films.height)
    report.add("customers", "kept", "user", users.height)
    return ShopTables(
        products=_products(films, genres["genre"].to_list()),
        events=kept,
        customers=_customers(users),
        rejects=out,
        report=report,
    )


def _table(path: Path, columns: tuple[str, ...], separator: str) -> pl.DataFrame:
    """A headerless table as text, with ``line``; blank lines are skipped but counted."""
    text = read_bytes(path).decode("latin-1")
    lines = (
        pl.Series("text", text.replace("\r\n", "\n").split("\n")).to_frame().with_row_index("line", offset=1)
    )
    lines = lines.filter(pl.col("text").str.strip_chars() != "")
    cells = lines["text"].str.split(separator)
    odd = lines.filter(cells.list.len() != len(columns))
    if odd.height:
        found = len(odd["text"][0].split(separator))
        raise DataError(
            f"{path}, line {odd['line'][0]}: {found} columns, {len(columns)} are due.",
            next_step=f"Use the file as published, with {separator!r} between the columns.",
        )
    table = cells.list.to_struct(fields=list(columns)).struct.unnest()
    return table.select(lines["line"].cast(pl.Int64), pl.all()).with_columns(
        pl.col(columns).str.strip_chars().replace("", None)
    )


def _ratings(ratings: pl.DataFrame, films: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame, Report]:
    read = ratings.with_columns(
        value=pl.col("rating").cast(pl.Float32, strict=False),
        at=pl.from_epoch(pl.col("time").cast(pl.Int64, strict=False), time_unit="s").cast(UTC_TIME),
    )
    rules = (
        Rule("rejected", "user or item is missing", pl.any_horizontal(pl.col("user", "item").is_null())),
        Rule(
            "rejected",
            f"rating is no number from 1 to {_BEST}",
            ~pl.col("value").is_between(1, _BEST) | pl.col("value").is_null(),
        ),
        Rule("rejected", "time is no number of seconds", pl.col("at").is_null()),
        Rule("rejected", "film is not in u.item", ~pl.col("item").is_in(films.implode())),
        EVERYTHING_ELSE,
    )
    kept, out, report = sift(read, rules, "events", cells=_RATING, example=("item", "rating"))
    events = kept.select("at", "value", customer_id="user", product_id="item", kind=pl.lit("rating"))
    return EVENTS.conform(events).sort("at", maintain_order=True), out, report


def _products(films: pl.DataFrame, genres: list[str]) -> pl.DataFrame:
    """One-hot genres become a list and a first genre; a film without title is called by its id."""
    named = [genre for genre in genres if genre != "unknown"]
    has = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in named]
    listed = films.with_columns(genres=pl.concat_list(has).list.drop_nulls())
    attributes = pl.struct("genres", "released", "url").struct.json_encode()
    return PRODUCTS.conform(
        listed.select(
            "product_id",
            title=pl.col("title").fill_null(pl.col("product_id")),
            category=pl.col("genres").list.first(),
            attributes=attributes,
        )
    )


def _customers(users: pl.DataFrame) -> pl.DataFrame:
    people = users.with_columns(pl.col("age").cast(pl.Int32, strict=False))
    return CUSTOMERS.conform(
        people.select("customer_id", attributes=pl.struct("age", "gender", "occupation").struct.json_encode())
    )

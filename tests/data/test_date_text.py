"""Dates in the forms that files hold: each read as what wrote it meant, and nothing else taken for a date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest

from storewise.data.date_text import dates_of_numbers, named_like_a_date, read_dates

MOMENTS = [
    datetime(2021, 1, 1, tzinfo=UTC) + timedelta(minutes=int(m))
    for m in np.random.default_rng(0).integers(0, 700_000, 300)
]
FORMS = [
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%d %H:%M:%S,000", "%Y/%m/%d %H:%M", "%d/%m/%Y", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y", "%m/%d/%Y %I:%M %p",
    "%d-%m-%Y %H:%M", "%d.%m.%Y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%A, %d %B %Y",
    "%a, %d %b %Y %H:%M:%S +0000", "%Y%m%d", "%Y%m%d%H%M%S", "%Y年%m月%d日", "%Y-%m",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read_as_it_was_written(form):
    """The oracle is the standard library's strptime."""
    text = [moment.strftime(form) for moment in MOMENTS]
    naive = [datetime.strptime(one, form).replace(tzinfo=None) for one in text]
    found = read_dates(pl.Series(text), share=0.99)
    assert found.to_list() == naive


def test_zones_may_differ_from_row_to_row():
    zones = [timezone(timedelta(hours=8)), timezone(timedelta(hours=-5, minutes=-30)), UTC]
    text = [moment.astimezone(zones[k % 3]).isoformat() for k, moment in enumerate(MOMENTS)]
    assert read_dates(pl.Series(text)).to_list() == [moment.replace(tzinfo=None) for moment in MOMENTS]


@pytest.mark.parametrize(
    "values",
    [
        ["S", "M"], ["1.5", "2.25"], ["10-20", "20-30"], ["192.168.0.1", "10.0.0.7"], ["3-4 years", "1-2 years"],
        ["AB-12-34", "AB-13-35"], ["1/2", "3/4"], ["12345678", "123"], ["99999999", "88888888"], ["", " "],
    ],
)  # fmt: skip
def test_what_is_no_date(values):
    assert read_dates(pl.Series(values * 20), share=0.99).null_count() == 20 * len(values)


def test_too_few_dates_are_none():
    text = [moment.strftime("%Y-%m-%d") for moment in MOMENTS[:90]] + ["a 1"] * 10
    assert read_dates(pl.Series(text), share=0.99).null_count() == 100
    assert read_dates(pl.Series(text)).null_count() == 10


@pytest.mark.parametrize("scale", [1, 1_000, 1_000_000, 1_000_000_000])
def test_numbers_since_1970_by_their_size(scale):
    found = dates_of_numbers(pl.Series([int(moment.timestamp()) * scale for moment in MOMENTS]))
    assert found is not None
    assert found.to_list() == [moment.replace(tzinfo=None) for moment in MOMENTS]


def test_numbers_that_are_no_moments():
    assert dates_of_numbers(pl.Series([1, 2, 3])) is None
    assert dates_of_numbers(pl.Series([20211301])) is None  # a thirteenth month
    assert dates_of_numbers(pl.Series([None], dtype=pl.Int64)) is None
    assert dates_of_numbers(pl.Series(["20210101"])) is None


def test_names():
    assert all(map(named_like_a_date, ("created_at", "orderDate", "TRANSACTION_DT", "timestamp", "下单时间")))
    assert not any(map(named_like_a_date, ("category", "phone", "attitude", "items", "data")))

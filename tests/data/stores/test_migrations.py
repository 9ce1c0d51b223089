"""The migrations build what the tables say, on an empty database and on one of the past."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql

from storewise.core.errors import StoreError
from storewise.data.stores import Store, sqlite
from storewise.data.stores.migrations import head, upgrade
from storewise.data.stores.migrations.upgrade import current
from storewise.data.stores.tables import METADATA


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    found = sa.create_engine(sqlite.url(tmp_path / "shop.db"))
    sqlite.prepare(found)
    return found


def test_an_empty_database_becomes_what_the_tables_say(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        ran = upgrade(connection)
    assert ran[0] == "0001"
    assert ran[-1] == head()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        names = set(sa.inspect(connection).get_table_names())
    assert names == set(METADATA.tables) | {"alembic_version"}


def test_a_store_of_the_first_shape_is_brought_to_the_present_one(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE facts")
        connection.exec_driver_sql("DROP TABLE vectors")
        connection.exec_driver_sql("DROP TABLE past_products")
        connection.exec_driver_sql("ALTER TABLE live_events DROP COLUMN known_at")
        for column in ("experiment", "variant"):
            connection.exec_driver_sql(f"ALTER TABLE decisions DROP COLUMN {column}")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with Store.open(tmp_path) as store, store._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert current(connection) == head()


def test_the_comparison_can_fail(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection)
        connection.exec_driver_sql("ALTER TABLE products DROP COLUMN brand")
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    assert [step[0] for step in found] == ["add_column"]


def test_upgrading_twice_runs_nothing(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        upgrade(connection)
        assert upgrade(connection) == []


def test_a_failed_upgrade_leaves_the_database_empty(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE decisions (x INTEGER)")
    with pytest.raises(sa.exc.OperationalError, match="already exists"), engine.begin() as connection:
        upgrade(connection)
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["decisions"]


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"has revision 9999.* Update Storewise"):
        Store.open(tmp_path)


def test_sql_of_one_dialect_stands_in_one_file() -> None:
    """PRAGMA and the like belong to sqlite.py; the rest must run on other databases."""
    folder = Path(sqlite.__file__).parent
    words = (
        "PRAGMA",
        "OR IGNORE",
        "OR REPLACE",
        "ON CONFLICT",
        "AUTOINCREMENT",
        "exec_driver_sql",
        "dialects.",
    )
    found = [
        (path.name, word)
        for path in folder.rglob("*.py")
        if path.name != "sqlite.py"
        for word in words
        if word in path.read_text()
    ]
    assert found == []


def test_the_tables_can_be_made_on_postgresql() -> None:
    """Compiled only: no server is needed to see that every type and key has its counterpart there."""
    dialect = postgresql.dialect()
    ddl = {
        name: str(sa.schema.CreateTable(table).compile(dialect=dialect))
        for name, table in METADATA.tables.items()
    }
    assert "seq BIGSERIAL NOT NULL" in ddl["live_events"]
    assert "ingest_id BIGINT NOT NULL" in ddl["segments"]
    assert "at BIGINT NOT NULL" in ddl["decisions"]

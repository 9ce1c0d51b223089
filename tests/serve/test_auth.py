from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from storewise.core.errors import AccessDenied, ConfigError
from storewise.serve.app import create_app
from storewise.serve.auth import KEY_VARIABLE, Access, is_loopback
from storewise.testing import small_shop

KEY = "k" * 32


@pytest.fixture(autouse=True)
def _no_key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def client(shop: Path, access: Access, base: str = "http://127.0.0.1:8000") -> TestClient:
    return TestClient(create_app(small_shop.open_service(shop), access=access), base_url=base)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_loopback_needs_no_key(host: str) -> None:
    assert is_loopback(host)
    assert Access.of(host).key is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "shop.example"])
def test_any_other_address_needs_one(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccessDenied, match="--api-key-file"):
        Access.of(host)
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    assert Access.of(host, file) == Access(KEY.encode(), None)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert Access.of(host) == Access(KEY.encode(), None)


def test_a_poor_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    for content in ("", "short"):
        file.write_text(content)
        with pytest.raises(ConfigError, match="at least 16"):
            Access.of("0.0.0.0", file)
    with pytest.raises(ConfigError, match="cannot be read"):
        Access.of("0.0.0.0", tmp_path / "none")


@pytest.mark.parametrize("path", ["/v1/popular", "/v1/customers", "/metrics", "/v1/nothing"])
def test_with_a_key_everything_with_data_asks_for_it(shop: Path, path: str) -> None:
    with client(shop, Access(KEY.encode(), None), "http://shop.example") as found:
        for headers in (
            {},
            {"X-API-Key": "wrong"},
            {"Authorization": f"Basic {KEY}"},
            {"X-API-Key": KEY[:-1]},
        ):
            refused = found.get(path, headers=headers)
            assert refused.status_code == 401
            assert refused.json()["error"]["type"] == "AccessDenied"
            assert refused.headers["www-authenticate"] == "Bearer"
        for headers in (
            {"X-API-Key": KEY},
            {"Authorization": f"Bearer {KEY}"},
            {"Authorization": f"bearer {KEY}"},
        ):
            assert found.get(path, headers=headers).status_code in (200, 404)
        assert found.get("/healthz").status_code == 200


def test_a_foreign_name_or_page_does_not_reach_loopback(shop: Path) -> None:
    with client(shop, Access()) as found:
        for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""):
            assert found.get("/v1/popular", headers={"Host": host}).status_code == 403
        for host in ("localhost:1", "127.0.0.1", "[::1]:8000"):
            assert found.get("/v1/popular", headers={"Host": host}).status_code == 200
        foreign = found.post("/v1/events", json={}, headers={"Origin": "http://evil.example"})
        assert foreign.status_code == 403
        own = found.get("/v1/popular", headers={"Origin": "http://127.0.0.1:8000"})
        assert own.status_code == 200
        assert "access-control-allow-origin" not in own.headers

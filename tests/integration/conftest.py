"""Fixtures of the integration tests: each test gets its own gateway, upstream and issuer on free loopback ports."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from support import h2, redis  # noqa: E402
from support.certificates import Authority  # noqa: E402
from support.gateway import Gateway  # noqa: E402
from support.issuer import Issuer, Key  # noqa: E402
from support.upstream import Canary, Upstream  # noqa: E402


def pytest_collection_modifyitems(config, items):
    if redis.REDIS:
        of_file = [item for item in items if item.get_closest_marker("sqlite")]
        items[:] = [item for item in items if item not in of_file]
        config.hook.pytest_deselected(items=of_file)


@pytest.fixture(scope="session")
def keys():
    """Keys for all tests: making an RSA key takes a while."""
    return [Key("RS256"), Key("ES256"), Key("EdDSA")]


@pytest.fixture
def issuer(keys):
    """An issuer whose keys the gateway reads from a file."""
    made = Issuer("", keys=list(keys))
    yield made
    made.close()


@pytest.fixture
def upstream():
    made = Upstream()
    yield made
    made.close()


@pytest.fixture
def canary():
    made = Canary()
    yield made
    made.close()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def site(tmp_path, issuer, upstream):
    """A gateway with settings, not yet started; ended and judged after the test."""
    made = Gateway(tmp_path, issuer, upstream)
    yield made
    made.stop()


@pytest.fixture
def gateway(site):
    """A gateway that is ready."""
    return site.start()


@pytest.fixture
def secure(site, authority):
    """A gateway with TLS that is ready; h2() gives a client that speaks HTTP/2 to it."""
    certificate, key = authority.leaf("localhost", "127.0.0.1")
    site.settings["listen"][0]["tls"] = {"certificate": certificate, "key": key}
    site.h2 = lambda **options: h2.Client(site.port, tls=authority.client("h2"), **options)
    return site.start()

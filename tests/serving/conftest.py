"""Two small models, opened once."""

import pytest

from serving_models import client, make_service, open_test_models


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    return open_test_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def service(models):
    return make_service(models)


@pytest.fixture
def http(service):
    return client(service)

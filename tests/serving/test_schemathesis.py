"""Requests that openapi.json allows and forbids get only responses that it describes."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fullconv.serving import Access, Settings
from fullconv.serving._application import application
from serving_models import make_service

EXAMPLES = 20  # of each path


@pytest.mark.slow
def test_responses_are_those_of_the_description(models, tmp_path):
    schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis (make setup)")
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    access = Access(hosts=frozenset({"testserver", "localhost", "127.0.0.1"}))
    service = make_service(models, access, Settings(corrections=tmp_path / "corrected"))
    service.ready = True
    schema = schemathesis.openapi.from_asgi("/openapi.json", application(service))
    statuses = Counter()
    for found in schema.get_all_operations():
        strategy = found.ok().as_strategy()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def check(case):
            response = case.call()
            statuses[response.status_code] += 1
            # Random bytes are no photo, although the description allows any.
            case.validate_response(response, excluded_checks=[positive_data_acceptance])

        check()
    assert max(statuses) < 500 and statuses[200] > 20 and statuses[422] > 20, statuses
    assert service.in_progress == 0 and service.gate.planned == 0

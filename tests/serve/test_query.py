"""What requests state in their addresses: the same in the OpenAPI document and in what is accepted."""

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from lentigo.serve.query import ClassifyQuery, ExplainQuery, ReportQuery, parameters, read_query


def of(text):
    return Request({"type": "http", "query_string": text.encode(), "headers": []})


def test_nothing_stated_is_the_default():
    assert read_query(of(""), ClassifyQuery) == ClassifyQuery(model=None, prevalence=None, format="json")


def test_what_is_stated_is_decoded():
    found = read_query(of("method=rise&diagnosis=a%2Bb"), ExplainQuery)
    assert (found.method, found.diagnosis) == ("rise", "a+b")


@pytest.mark.parametrize("kind", [ClassifyQuery, ExplainQuery, ReportQuery])
@pytest.mark.parametrize(
    ("text", "name"), [("prevalance=mel%3D1", "prevalance"), ("prevalence=a&model=b&prevalence=c", "prevalence")]
)
def test_a_misspelt_name_and_two_values_of_one_are_refused(kind, text, name):
    """Else the answer would be for another prevalence than the client meant."""
    with pytest.raises(RequestValidationError) as error:
        read_query(of(text), kind)
    assert [fault["loc"] for fault in error.value.errors()] == [("query", name)]


@pytest.mark.parametrize(("kind", "text"), [(ClassifyQuery, "format=png"), (ExplainQuery, "format=fhir&method=lime")])
def test_what_is_not_allowed_is_named(kind, text):
    with pytest.raises(RequestValidationError) as error:
        read_query(of(text), kind)
    assert [fault["loc"] for fault in error.value.errors()][-1][0] == "query"
    assert len(error.value.errors()) == text.count("=")


@pytest.mark.parametrize("kind", [ClassifyQuery, ExplainQuery, ReportQuery])
def test_every_value_is_described_and_optional(kind):
    described = parameters(kind)
    assert [one["name"] for one in described] == list(kind.model_fields)
    for one in described:
        assert one["in"] == "query" and one["description"] and not one["required"]


def test_thousands_of_values_are_neither_compared_nor_named():
    """An address of 64 kB took seconds in which no other request was answered, and was answered with megabytes."""
    with pytest.raises(RequestValidationError) as error:
        read_query(of("&".join(f"{i:x}=" for i in range(12_000))), ClassifyQuery)
    (fault,) = error.value.errors()
    assert "12000 values" in fault["msg"]

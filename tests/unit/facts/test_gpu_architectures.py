"""Architectures by name, number and product: one table, whoever asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.facts.gpu_architectures import (
    GPU_ARCHITECTURES,
    architecture_of,
    known_architectures,
    parse_architecture,
)


@pytest.mark.parametrize(
    ("product", "name"),
    [
        ("MTT S80", "qy1"), ("MTTS80", "qy1"), ("MTT S80ES", "qy1"), ("MTT S3000", "qy1"), ("S90", "qy2"),
        ("mtt s4000", "qy2"), ("MTT S5000", "ph1"),
    ],
)  # fmt: skip
def test_a_product_has_its_architecture(product: str, name: str) -> None:
    found = architecture_of(product)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "product", ["", "MTT", "MTT S2000", "MTT S30", "S80 Pro", "GeForce 4090", "qy1", "21"]
)
def test_what_is_no_known_product_has_none(product: str) -> None:
    assert architecture_of(product) is None


def test_numbers_are_those_of_the_compilers() -> None:
    assert {one.name: one.number for one in GPU_ARCHITECTURES} == {"qy1": "21", "qy2": "22", "ph1": "31"}


def test_no_product_is_of_two_architectures() -> None:
    products = [product for one in GPU_ARCHITECTURES for product in one.products]
    assert len(products) == len(set(products))
    assert all(product in known_architectures() for product in products)


@given(st.text(max_size=40))
def test_any_text_is_known_or_not(text: str) -> None:
    found = parse_architecture(text)
    assert found is None or found in GPU_ARCHITECTURES

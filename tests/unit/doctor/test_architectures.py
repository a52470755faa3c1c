"""What doctor says of a GPU is what a spec takes as ``gpu_arch``."""

import pytest

from layerwright.doctor import data
from layerwright.facts.gpu_architectures import GPU_ARCHITECTURES, architecture_of, parse_architecture


@pytest.mark.parametrize("product", data.mthreads().product, ids=lambda product: product.name)
def test_the_architecture_of_a_product_is_the_specs(product: data.Product) -> None:
    found = architecture_of(product.name)
    if not product.arch:
        assert found is None
        return
    assert found is not None
    assert (found.name, found.number) == (product.arch, product.musa_arch)
    assert parse_architecture(product.arch) == found


def test_every_product_of_the_spec_is_known_to_doctor() -> None:
    known = {product.name.removeprefix("MTT ") for product in data.mthreads().product}
    assert {product for one in GPU_ARCHITECTURES for product in one.products} <= known

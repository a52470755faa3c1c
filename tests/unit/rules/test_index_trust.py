"""Row D04: what the spec accepts by name stands in every report of check."""

from msgspec import structs

from layerwright.core.source import Location
from layerwright.facts.model import InsecureIndex
from layerwright.rules import Case, index_trust
from support.clashes import CUDA_118, cell

HERE = Location(file="layerwright.toml", line=4)


def found(*indexes):
    return list(index_trust.check(Case(structs.replace(cell(CUDA_118, {}), insecure_indexes=indexes))))


def test_d04_an_opt_in_is_a_warning_at_its_place() -> None:
    plain, untrusted = found(
        InsecureIndex(name="old", how="http", location=HERE),
        InsecureIndex(name="own", how="certificate", location=HERE),
    )
    assert (plain.code, plain.level, plain.where.location) == ("LW-INDEX-INSECURE", "warning", HERE)
    assert plain.message == "index old is spoken to without encryption, as the spec allows"
    assert untrusted.message == "index own may have any certificate, as the spec allows"
    assert "ca =" in untrusted.fix[0].edit


def test_d04_other_indexes_are_no_matter() -> None:
    assert found() == []

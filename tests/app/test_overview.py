"""Overview: runs in groups, as a table with differences and curves, and what of the paper can be made from them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from isp_app.reading import run_rows
from isp_app.reading.runs_access import Listed
from isp_app.views import paper_map
from isp_core.labelling.source import Family, Role
from isp_core.labelling.sources import SOURCES, family_of
from isp_core.runs import Run, list_runs, open_run
from tests.app import synthetic
from tests.app.conftest import Open, words

TABLE = "table and curves"


def opened(root: Path) -> list[tuple[Listed, Run]]:
    return [(Listed(one.name, one), open_run(one.path)) for one in list_runs(root)]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_says_itself_which_group_its_runs_belong_to(name: str) -> None:
    source = SOURCES[name]
    expected = {Role.BASELINE: Family.BASELINE, Role.GIVEN: Family.EXTRA}.get(
        source.role, Family.PAPER if source.published else Family.OURS
    )
    assert family_of(name, 6 if source.parts_allowed() else 0) is expected


def test_there_is_one_method_of_the_paper_and_imported_runs_bring_extra_semantics() -> None:
    assert [name for name, source in SOURCES.items() if source.published] == ["clustering"]
    assert family_of("a parser's maps", 6) is Family.EXTRA
    assert family_of("clustering", 0) is Family.BASELINE


def test_cards_stand_under_their_group_with_the_source_explained_once(open_page: Open) -> None:
    said = words(open_page("overview"))
    assert said.index("The paper's method") < said.index("**Baseline**")
    assert said.count("are clustered: first into foreground".replace(":", "\\:")) == 1
    assert said.count("The constant mask is one mask for every image") <= 1


class TestTable:
    def test_groups_come_in_their_order_and_the_url_sorts(self, open_page: Open) -> None:
        table = open_page("overview", view=TABLE).dataframe[0].value
        assert table["run"].tolist() == ["k4", "k6", "baseline"]
        table = open_page("overview", view=TABLE, order="mAP").dataframe[0].value
        assert table["mAP"].is_monotonic_decreasing
        table = open_page("overview", view=TABLE, order="K").dataframe[0].value
        assert table["K"].tolist() == [0, 4, 6]

    def test_differences_are_to_the_reference_and_in_its_own_units(self, open_page: Open) -> None:
        table = open_page("overview", view=TABLE, ref="baseline").dataframe[0].value.set_index("run")
        change = table["mAP"] - table.loc["baseline", "mAP"]
        pd.testing.assert_series_equal(table["mAP, difference"], change, check_names=False)
        assert (table.loc["baseline", [c for c in table if str(c).endswith(", difference")]] == 0).all()

    def test_runs_tested_on_other_images_have_no_difference(self, open_page: Open, own_runs: Path) -> None:
        file = synthetic.write_run(own_runs / "elsewhere", parts=6, epochs=1, train=3) / "run.json"
        file.write_text(file.read_text().replace("f" * 64, "e" * 64))
        test = open_page("overview", runs=own_runs, view=TABLE, ref="k6")
        table = test.dataframe[0].value.set_index("run")
        assert table.loc["elsewhere", "mAP"] == table.loc["elsewhere", "mAP"]
        assert pd.isna(table.loc["elsewhere", "mAP, difference"])
        assert "1 run tested on other images" in words(test)

    def test_a_reference_or_a_ticked_run_that_is_not_there_is_named(self, open_page: Open) -> None:
        test = open_page("overview", view=TABLE, ref="nope", chart="gone", order="colour", curve="speed")
        said = " ".join(warning.value for warning in test.warning)
        for name in ("nope", "gone", "colour", "speed"):
            assert name in said

    def test_a_broken_run_leaves_the_others_in_the_table(self, open_page: Open, own_runs: Path) -> None:
        (own_runs / "k6" / "metrics.parquet").write_bytes(b"PAR1 nothing")
        test = open_page("overview", runs=own_runs, view=TABLE)
        assert test.dataframe[0].value["run"].tolist() == ["k4", "baseline"]
        assert "**k6** cannot be read" in words(test)


def test_curves_leave_out_epochs_without_a_value(drawn: Path) -> None:
    lines = run_rows.lines(opened(drawn / "runs"), "mAP")
    for item, run in opened(drawn / "runs"):
        known = run.metrics()["mAP"].dropna()
        own = lines[lines["run"] == item.id]
        assert own["epoch"].tolist() == known.index.tolist()
        assert own["value"].tolist() == pytest.approx((100 * known).tolist())


class TestMapOfThePaper:
    def test_each_figure_and_table_leads_to_runs_that_can_give_it(self, drawn: Path) -> None:
        found = {entry.name.split(":")[0]: entry for entry in paper_map.entries(opened(drawn / "runs"))}
        assert list(found) == [*(f"Figure {n}" for n in (4, 5, 6, 7)), *(f"Table {n}" for n in (3, 4, 5, 6))]
        assert found["Figure 4"].page == "k_compare"
        assert "4, 6" in found["Figure 4"].of
        assert found["Figure 7"].query == {"run": "k4", "vs": "baseline", "split": "query"}
        assert found["Table 5"].of == "3 runs"

    def test_what_is_missing_is_said_instead_of_a_link(self, drawn: Path) -> None:
        baseline = [pair for pair in opened(drawn / "runs") if pair[0].id == "baseline"]
        found = {entry.name.split(":")[0]: entry for entry in paper_map.entries(baseline)}
        for name in ("Figure 4", "Figure 5", "Figure 6", "Figure 7", "Table 3"):
            assert not found[name].page
            assert found[name].of
        assert found["Table 5"].page == "overview"

    def test_figure_5_needs_a_variant(self, drawn: Path) -> None:
        found = paper_map.entries(opened(drawn / "runs"))
        assert "Variant" in next(entry.of for entry in found if entry.name.startswith("Figure 5"))

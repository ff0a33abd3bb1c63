"""NMI and ARI against scikit-learn, and what they promise."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from isp_core.metrics.agreement import ari, nmi, on_all_pixels, on_foreground
from isp_core.metrics.part_scores import confusion, fit_constant


@pytest.mark.parametrize("seed", range(4))
def test_both_are_those_of_scikit_learn_on_the_pixels_themselves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 7, (5, 12, 8)).astype(np.uint8)
    labels = np.where(rng.random(targets.shape) < 0.6, targets % 4, rng.integers(0, 4, targets.shape)).astype(np.uint8)
    counts = confusion(labels, targets, 4).sum(axis=0)
    for rows, kept in ((on_foreground, (targets > 0) & (targets < 6)), (on_all_pixels, targets < 6)):
        table = rows(counts)
        assert float(nmi(table)) == pytest.approx(normalized_mutual_info_score(targets[kept], labels[kept]))
        assert float(ari(table)) == pytest.approx(adjusted_rand_score(targets[kept], labels[kept]))


def test_several_tables_at_once_are_each_judged_alone() -> None:
    tables = np.random.default_rng(0).integers(0, 50, (6, 5, 4))
    np.testing.assert_allclose(nmi(tables), [float(nmi(table)) for table in tables])
    np.testing.assert_allclose(ari(tables), [float(ari(table)) for table in tables])


def test_naming_parts_otherwise_changes_nothing_and_missing_the_person_does() -> None:
    counts = np.zeros((7, 5))
    counts[[1, 2, 3, 4], [1, 2, 3, 4]] = 100  # each class is one part
    swapped = counts[:, [0, 3, 1, 4, 2]]
    assert float(nmi(on_foreground(counts))) == float(nmi(on_foreground(swapped))) == pytest.approx(1)
    missed = counts.copy()
    missed[1:5, 0], missed[1:5, 1:] = 50, counts[1:5, 1:] / 2  # half of every class is taken for background
    assert float(nmi(on_foreground(missed))) < 0.9
    assert float(ari(on_foreground(missed))) < 0.9


def test_a_ground_truth_of_one_class_has_nothing_to_agree_on() -> None:
    counts = np.zeros((7, 3))
    counts[1] = [1, 2, 3]
    assert np.isnan(nmi(on_foreground(counts)))
    assert np.isnan(ari(on_foreground(counts)))


def test_the_constant_label_map_holds_the_most_common_class_of_each_place() -> None:
    targets = np.array([[[0, 1, 3]], [[0, 1, 0]], [[2, 1, 0]]], np.uint8)
    found = fit_constant(targets)
    assert found.likeliest.tolist() == [[0, 1, 0]]
    assert found.likeliest_part.tolist() == [[2, 1, 3]]

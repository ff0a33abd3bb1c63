"""K-means: hand cases, a slow truth for the line, scikit-learn's Lloyd for the rest."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from torch import Tensor

from isp_core.clustering.errors import ClusteringError
from isp_core.clustering.kmeans import kmeans, lloyd
from isp_core.clustering.line import two_means_1d


def blobs(n: int, c: int, k: int, *, seed: int = 0, spread: float = 0.3) -> Tensor:
    """n points around k random places."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randn(k, c, generator=generator)
    return places[torch.arange(n) % k] + spread * torch.randn(n, c, generator=generator)


def some_rows(points: Tensor, k: int, seed: int = 0) -> Tensor:
    return points[torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))[:k]]


def plain_lloyd(points: Tensor, centres: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """The textbook, in float64, for centres that never lose all their points."""
    points, centres = points.double(), centres.double()
    labels = torch.cdist(points, centres).argmin(1)
    for _ in range(iterations):
        centres = torch.stack([points[labels == k].mean(0) for k in range(len(centres))])
        moved = torch.cdist(points, centres).argmin(1)
        if bool((moved == labels).all()):
            break
        labels = moved
    return labels, centres


def sum_of_squares(values: np.ndarray, weights: np.ndarray) -> float:
    mean = np.average(values, weights=weights)
    return float((weights * (values - mean) ** 2).sum())


# -------------------------------------------------------------------------------------------------------- on a line


class TestTwoMeans:
    def test_cuts_between_two_groups(self) -> None:
        split = two_means_1d(torch.tensor([9.0, 1.0, 2.0, 8.0, 1.5]))
        assert split.threshold == 2.0
        assert split.low == pytest.approx(1.5)
        assert split.high == pytest.approx(8.5)

    def test_equal_values_are_all_low(self) -> None:
        values = torch.full((7,), 0.3)
        split = two_means_1d(values)
        assert not (values > split.threshold).any()
        assert split.low == split.high == pytest.approx(0.3)

    def test_one_value(self) -> None:
        assert two_means_1d(torch.tensor([5.0])).threshold == 5.0

    def test_lowest_of_equally_good_cuts(self) -> None:
        assert two_means_1d(torch.tensor([0.0, 1.0, 2.0])).threshold == 0.0  # {0} {1, 2} is as good as {0, 1} {2}

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(st.integers(-20, 20), st.integers(1, 4)), min_size=2, max_size=12))
    def test_no_cut_is_better(self, pairs: list[tuple[int, int]]) -> None:
        values = np.repeat(*(np.array(column) for column in zip(*pairs, strict=True))).astype(np.float64)
        weights = np.ones(len(values))
        split = two_means_1d(torch.from_numpy(values))
        if len(np.unique(values)) == 1:
            assert split.threshold == values[0]
            return
        cuts = {}
        for threshold in sorted(set(values))[:-1]:
            high = values > threshold
            cuts[threshold] = sum_of_squares(values[high], weights[high]) + sum_of_squares(
                values[~high], weights[~high]
            )
        least = min(cuts.values())
        assert cuts[split.threshold] == pytest.approx(least, abs=1e-9)
        high = values > split.threshold
        assert split.high == pytest.approx(np.average(values[high], weights=weights[high]))
        assert split.low == pytest.approx(np.average(values[~high], weights=weights[~high]))

    def test_large_offsets_do_not_cost_digits(self) -> None:
        values = torch.tensor([0.0, 1.0, 10.0, 11.0], dtype=torch.float64) + 1e9
        assert two_means_1d(values).threshold == 1e9 + 1

    @pytest.mark.parametrize(
        "values",
        [
            torch.empty(0),
            torch.zeros(2, 2),
            torch.tensor([0.0, float("nan")]),
            torch.tensor([0.0, float("inf")]),
            torch.tensor([0.0, -float("inf")]),
        ],
    )
    def test_impossible_input_is_refused(self, values: Tensor) -> None:
        with pytest.raises(ClusteringError):
            two_means_1d(values)


# -------------------------------------------------------------------------------------------------------- many points


class TestLloyd:
    def test_two_pairs_by_hand(self) -> None:
        points = torch.tensor([[0.0, 0.0], [0.0, 2.0], [10.0, 0.0], [10.0, 2.0]])
        result = lloyd(points, torch.tensor([[1.0, 0.0], [2.0, 0.0]]))
        assert result.labels.tolist() == [0, 0, 1, 1]
        assert result.centres.tolist() == [[0.0, 1.0], [10.0, 1.0]]
        assert result.sizes.tolist() == [2, 2]
        assert result.inertia == pytest.approx(4.0, rel=1e-5)

    @pytest.mark.parametrize("offset", [0.0, 100.0])
    @pytest.mark.parametrize(("n", "c", "k"), [(3000, 16, 6), (3000, 3, 9), (800, 64, 2), (500, 2, 25)])
    @pytest.mark.parametrize("spread", [0.3, 1.5])
    def test_is_scikit_learns(self, n: int, c: int, k: int, spread: float, offset: float) -> None:
        points = blobs(n, c, k, spread=spread) + offset
        start = some_rows(points, k)
        ours = lloyd(points, start, iterations=300)
        theirs = KMeans(k, init=start.double().numpy(), n_init=1, max_iter=300, tol=0).fit(points.double().numpy())
        assert (ours.labels.numpy() == theirs.labels_).mean() > 0.999
        assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-5)

    @pytest.mark.parametrize("iterations", [1, 2, 5, 20])
    def test_every_move_is_the_textbooks(self, iterations: int) -> None:
        points = blobs(4000, 24, 9, spread=1.0)
        start = some_rows(points, 6)
        result = lloyd(points, start, iterations=iterations)
        labels, centres = plain_lloyd(points, start, iterations)
        assert torch.equal(result.labels, labels)
        torch.testing.assert_close(result.centres, centres.float(), rtol=1e-4, atol=1e-4)
        assert result.iterations <= iterations

    def test_ties_go_to_the_lowest_index(self) -> None:
        points = torch.tensor([[0.0], [1.0], [2.0]])
        assert lloyd(points, torch.tensor([[0.0], [2.0]]), iterations=1).labels.tolist() == [0, 0, 1]

    def test_an_empty_cluster_restarts_at_the_farthest_point(self) -> None:
        points = torch.tensor([[0.0], [1.0], [2.0], [50.0]])
        result = lloyd(points, torch.tensor([[1.0], [1e6]]))
        assert result.labels.tolist() == [0, 0, 0, 1]
        assert result.inertia == pytest.approx(2.0, rel=1e-5)

    def test_equal_points_stay_in_the_first_cluster(self) -> None:
        result = lloyd(torch.full((50, 7), 0.1), torch.full((3, 7), 0.1))
        assert result.labels.tolist() == [0] * 50
        assert result.sizes.tolist() == [50, 0, 0]
        assert result.inertia == pytest.approx(0.0, abs=1e-6)
        assert result.centres.isfinite().all()

    def test_one_cluster_is_the_mean(self) -> None:
        points = blobs(100, 5, 3)
        result = lloyd(points, points[:1])
        torch.testing.assert_close(result.centres[0], points.mean(0))
        assert result.inertia == pytest.approx(float((points - points.mean(0)).square().sum()), rel=1e-5)

    def test_half_precision_points(self) -> None:
        points = blobs(500, 8, 3).half()
        assert torch.equal(lloyd(points, points[:3]).labels, lloyd(points.float(), points[:3].float()).labels)

    def test_points_of_a_graph(self) -> None:
        points = blobs(500, 8, 3)
        start = points[:3].clone()
        found = lloyd(points.clone().requires_grad_(), start.clone().requires_grad_())
        assert torch.equal(found.labels, lloyd(points, start).labels)

    def test_centres_of_other_width_are_refused(self) -> None:
        with pytest.raises(ClusteringError, match="do not fit"):
            lloyd(torch.zeros(5, 3), torch.zeros(2, 4))


class TestKMeans:
    def test_finds_blobs(self) -> None:
        result = kmeans(blobs(6000, 32, 5), 5, seed=1, restarts=4)
        truth = torch.arange(6000) % 5
        for k in range(5):
            assert len(result.labels[truth == k].unique()) == 1
        assert sorted(result.sizes.tolist()) == [1200] * 5

    @pytest.mark.parametrize("seed", [0, 1])
    def test_equal_seeds_give_equal_bits(self, seed: int) -> None:
        points = blobs(9000, 48, 9, spread=1.0)
        a, b = (kmeans(points, 6, seed=seed, restarts=3) for _ in range(2))
        assert torch.equal(a.labels, b.labels)
        assert torch.equal(a.centres, b.centres)
        assert a.inertia == b.inertia

    def test_threads_change_next_to_nothing(self) -> None:
        points = blobs(20000, 64, 9, spread=1.0)
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(1)
            one = kmeans(points, 6, seed=3)
            torch.set_num_threads(2)
            two = kmeans(points, 6, seed=3)
        finally:
            torch.set_num_threads(threads)
        assert (one.labels == two.labels).float().mean() >= 0.999

    def test_labels_belong_to_the_centres(self) -> None:
        points = blobs(5000, 16, 9, spread=1.0)
        result = kmeans(points, 6, iterations=2)
        distances = torch.cdist(points.double(), result.centres.double()).square()
        assert torch.equal(result.labels, distances.argmin(1))
        assert result.inertia == pytest.approx(float(distances.amin(1).sum()), rel=1e-5)
        assert torch.equal(result.sizes, torch.bincount(result.labels, minlength=6))

    def test_is_as_good_as_scikit_learn(self) -> None:
        """Mean inertia over seeds, equal restarts; seeds differ, so only the means can be compared."""
        points = torch.nn.functional.normalize(blobs(12000, 32, 12, spread=0.8), dim=1)
        ours = [kmeans(points, 6, seed=seed, restarts=3).inertia for seed in range(10)]
        theirs = [
            KMeans(6, n_init=3, max_iter=20, random_state=seed).fit(points.numpy()).inertia_ for seed in range(10)
        ]
        assert np.mean(ours) <= 1.005 * np.mean(theirs)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 8), st.integers(0, 5))
    def test_few_distinct_points(self, values: list[int], k: int, seed: int) -> None:
        """As many clusters as there are distinct points to fill them; equal points stay together."""
        points = torch.tensor(values, dtype=torch.float32)[:, None] * torch.tensor([1.0, -2.0])
        result = kmeans(points, k, seed=seed)
        distinct = len(set(values))
        used = set(result.labels.tolist())
        assert len(used) == min(k, distinct)
        if k >= distinct:
            assert result.inertia == pytest.approx(0.0, abs=1e-4)
        for (a, label_a), (b, label_b) in itertools.combinations(zip(values, result.labels.tolist(), strict=True), 2):
            assert a != b or label_a == label_b
        assert result.centres.isfinite().all()

    def test_restarts_never_hurt_on_the_sample(self) -> None:
        points = blobs(2000, 8, 12, spread=0.5)
        one, many = (kmeans(points, 6, seed=2, restarts=r, sample=len(points)).inertia for r in (1, 8))
        assert many <= one * 1.001

    def test_the_sample_is_even(self) -> None:
        """What only the last pictures show is found, and so is what comes back every so many points."""
        late = torch.cat([torch.zeros(20000, 4), torch.full((500, 4), 5.0)])
        assert kmeans(late, 2).sizes.sort().values.tolist() == [500, 20000]
        periodic = torch.zeros(20000, 4)
        periodic[::64] = 5.0
        assert kmeans(periodic, 2).sizes.sort().values.tolist() == [313, 19687]

    def test_settled_centres_are_nearly_as_good(self) -> None:
        points = blobs(20000, 16, 12, spread=1.0)
        rough, exact = (kmeans(points, 6, iterations=300, settled=share).inertia for share in (0.004, 0.0))
        assert exact <= rough <= 1.001 * exact

    @pytest.mark.parametrize(("points", "k"), [(torch.zeros(0, 3), 2), (torch.zeros(4), 2), (torch.zeros(4, 3), 0)])
    def test_impossible_input_is_refused(self, points: Tensor, k: int) -> None:
        with pytest.raises(ClusteringError):
            kmeans(points, k)

    def test_no_restarts_is_refused(self) -> None:
        with pytest.raises(ClusteringError):
            kmeans(torch.zeros(4, 3), 2, restarts=0)

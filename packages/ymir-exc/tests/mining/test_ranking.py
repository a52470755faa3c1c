"""From files to a ranking and to YMIR's result.tsv."""

import numpy as np
import pytest
import yaml

from mining.detectors import Bright, Told, found, numbered
from ymir_exc import mining, settings
from ymir_exc.mining import Detections, FeatureDetector, MapDetector

ANSWERS = [found([1.0, 0.0]), found([0.5, 0.5], [0.5, 0.5]), found([0.7, 0.2]), Detections.none(2)]


def ranked(algorithm, options=None, count=4, batch=3):
    return mining.mine(
        [f"/in/assets/{number}.png" for number in range(count)],
        lambda path: numbered(int(path[-5])),
        Told(ANSWERS),
        algorithm,
        options or mining.Options(),
        batch=batch,
    )


@pytest.mark.parametrize("algorithm", ["entropy", "least-confidence", "margin", "Least_Confidence"])
def test_the_unsure_come_first(algorithm):
    assert [path[-5] for path, _ in ranked(algorithm)] == ["1", "2", "0", "3"]


def test_an_image_without_detections_can_come_first():
    assert ranked("entropy", mining.Options(empty=9.0))[0] == ("/in/assets/3.png", 9.0)


def test_the_reduction_is_passed_on():
    sums, means = ranked("entropy"), ranked("entropy", mining.Options(reduction="mean"))
    assert dict(sums)["/in/assets/1.png"] == pytest.approx(2 * dict(means)["/in/assets/1.png"])
    assert sums[0][0] != means[0][0]


@pytest.mark.parametrize("algorithm", mining.ALGORITHMS)
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_every_image_is_ranked_once_whatever_the_batch(algorithm, batch):
    result = ranked(algorithm, batch=batch)
    assert sorted(path[-5] for path, _ in result) == list("0123")
    scores = [score for _, score in result]
    assert scores == sorted(scores, reverse=True)
    assert all(type(score) is float for score in scores)


def test_random_is_the_same_for_a_seed_and_asks_no_detector():
    paths = [str(number) for number in range(50)]
    first = mining.mine(paths, lambda _: None, None, "random", mining.Options(seed=1))
    assert first == mining.mine(paths, lambda _: None, None, "random", mining.Options(seed=1))
    assert first != mining.mine(paths, lambda _: None, None, "random", mining.Options(seed=2))
    assert [path for path, _ in first] != paths


@pytest.mark.parametrize("algorithm", ["random", "entropy", "cald", "aldd"])
def test_shards_ranked_apart_give_the_scores_of_the_whole(algorithm):
    rng = np.random.default_rng(0)
    images = {f"{number}.png": (rng.random((48, 48)) > 0.9) * np.uint8(200) for number in range(7)}
    for image in images.values():
        image[:12] = 0

    class Detector(Bright):
        def probability_maps(self, images):
            return [[image[None, ::4, ::4] / 255] for image in images]

    whole = dict(mining.mine(list(images), images.get, Detector(), algorithm, batch=3))
    shards = {}
    for rank in range(2):
        shards.update(mining.mine(list(images)[rank::2], images.get, Detector(), algorithm))
    assert shards == pytest.approx(whole)
    assert len(set(whole.values())) > 1 or algorithm == "entropy"


def test_random_scores_are_spread_evenly():
    scores = [score for _, score in mining.mine(list(map(str, range(2000))), images_of_none, None, "random")]
    counts, _ = np.histogram(scores, bins=10, range=(0, 1))
    assert counts.min() > 140
    assert counts.max() < 260


def images_of_none(_):
    return None


def test_broken_images_stand_at_the_end_and_none_is_lost():
    load = {"good": numbered(1), "broken": None, "sure": numbered(0)}.get
    for algorithm in ("entropy", "aldd", "core-set", "cald"):
        result = mining.mine(["broken", "good", "sure"], load, Told(ANSWERS), algorithm)
        assert result[-1][0] == "broken"
        assert len(result) == 3
        assert np.isfinite([score for _, score in result]).all()
    assert mining.mine(["broken"], load, Told(ANSWERS), "entropy") == [("broken", -1.0)]
    assert mining.mine([], load, Told(ANSWERS), "core-set") == []


def test_progress_reaches_one():
    told = []
    mining.mine(["1"] * 7, lambda _: numbered(1), Told(ANSWERS), "entropy", batch=3, progress=told.append)
    assert told == pytest.approx([3 / 7, 6 / 7, 1.0])


def test_images_given_to_aldd_and_core_set():
    order = [path[-5] for path, _ in ranked("core-set")]
    assert order[0] in "03"  # on a line the ends are farthest from the mean
    assert isinstance(Told([]), FeatureDetector)
    assert isinstance(Told([]), MapDetector)


def test_a_detector_without_the_method_is_named():
    with pytest.raises(
        TypeError, match="core-set needs a detector with a method 'features', and Bright has none"
    ):
        mining.mine(["1"], lambda _: numbered(1), Bright(), "core-set")


def test_another_algorithm_is_named():
    with pytest.raises(ValueError, match="no mining algorithm 'badge'; there are random, entropy"):
        mining.mine(["1"], lambda _: numbered(1), Bright(), "badge")


def test_the_ranking_is_written_as_the_platform_reads_it(tmp_path, monkeypatch):
    document = {
        "task_id": "t1",
        "protocol_version": "1.1.0",
        "run_mining": True,
        "output": {"root_dir": str(tmp_path), "mining_result_file": str(tmp_path / "result.tsv")},
    }
    (tmp_path / "env.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    monkeypatch.setattr(settings, "DEFAULT_ENV_FILE_PATH", str(tmp_path / "env.yaml"))
    result = ranked("entropy")
    mining.write(result)
    lines = (tmp_path / "result.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[0] for line in lines] == [path for path, _ in result]
    assert [float(line.split("\t")[1]) for line in lines] == pytest.approx([score for _, score in result])

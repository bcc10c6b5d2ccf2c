import numpy as np
import pytest
import torch

from fullconv.errors import EngineError
from fullconv.export.benchmark import measure as measure_module
from fullconv.export.benchmark.measure import matrix_product, measure
from fullconv.export.benchmark.timing import Engine, ReadyEngine
from fullconv.export.benchmark.worker import InProcess

IMAGES = np.full((1, 3, 4, 5), 100, np.float32)
SCORES = np.random.default_rng(0).normal(size=(1, 2, 4, 5)).astype(np.float32)
NOW = [0.0]


def engine(name, seconds, work=None, precision="fp32", shift=0.0, spent=2.0):
    """Return an engine whose calls take `seconds` per image, on `spent` cores."""

    def run(images):
        NOW[0] += seconds * len(images)
        scores = np.repeat(SCORES, len(images), 0)
        scores[:, 0] += shift
        return scores

    count = None if work is None else lambda images: work * len(images)
    return Engine(name, lambda: ReadyEngine(run, count, precision), (), {"SPENT": str(spent)})


class FakeWorker(InProcess):
    """Run an engine in this process, with a clock that only engines advance."""

    closed: tuple = ()

    def __init__(self, engine, threads):
        if engine.name == "broken":
            raise EngineError("broken: it does not start")
        started = engine.start(*engine.arguments)
        if engine.name.endswith("product"):
            seconds = 0.125 if started.precision == "int8" else 0.5
            started = ReadyEngine(
                lambda images: self.busy(seconds), started.work, started.precision
            )
        spent = float(engine.environment.get("SPENT", 1))
        super().__init__(started, lambda: NOW[0], lambda: NOW[0] * spent)
        self.name = engine.name

    def busy(self, seconds):
        NOW[0] += seconds
        return IMAGES

    def peak(self):
        return 1000

    def close(self):
        FakeWorker.closed += (self.name,)


@pytest.fixture(autouse=True)
def fake_worker(monkeypatch):
    monkeypatch.setattr(measure_module, "WorkerProcess", FakeWorker)
    monkeypatch.setattr(measure_module, "free_memory", lambda: 1300)
    monkeypatch.setattr("fullconv.export.benchmark.timing.PAUSE", 0.0)
    monkeypatch.setattr(FakeWorker, "closed", ())


def last(engines, **options):
    return list(measure(engines, IMAGES, rounds=3, **options))[-1]


def test_ratios_rates_and_shares_follow_from_the_times():
    work = 2048**3 // 4  # the matrix product does four times this in half a second
    bench = last([engine("slow", 2.0, work), engine("fast", 0.25, work), engine("odd", 1.0)])
    slow, fast, odd = bench.rows
    assert (slow.seconds.median, fast.seconds.median) == (2.0, 0.25)
    assert (slow.speedup.median, fast.speedup.median, odd.speedup.median) == (1, 8, 2)
    assert bench.peaks["fp32"].median == pytest.approx(2 * 2048**3 / 0.5 / 1e9)
    assert slow.gflop == 2 * work / 1e9 and slow.rate == pytest.approx(slow.gflop / 2)
    assert (slow.share, fast.share) == (pytest.approx(0.0625), pytest.approx(0.5))
    assert odd.gflop is odd.rate is odd.share is None, "the work is unknown"
    assert fast.throughput == 4 and fast.memory == 1000 and len(fast.timings) == 3
    assert bench.size == (4, 5) and bench.rounds == 3


def test_every_precision_has_its_own_peak():
    bench = last([engine("a", 1.0, 2048**3), engine("b", 1.0, 2048**3, "int8")])
    assert bench.peaks["int8"].median == pytest.approx(4 * bench.peaks["fp32"].median)
    assert [row.share for row in bench.rows] == [pytest.approx(0.5), pytest.approx(0.125)]
    assert [row.precision for row in bench.rows] == ["fp32", "int8"]


def test_ratios_can_be_of_cpu_time():
    engines = [engine("one core", 1.0, spent=1), engine("four cores", 0.5, spent=4)]
    assert last(engines).rows[1].speedup.median == 2
    assert last(engines, clock="cpu").rows[1].speedup.median == 0.5


def test_scores_and_labels_are_compared_with_those_of_the_first_engine():
    bench = last([engine("a", 1.0), engine("b", 1.0), engine("c", 1.0, shift=0.5)])
    a, b, c = bench.rows
    assert a.difference == b.difference == 0 and a.agreement == b.agreement == 1
    assert c.difference == pytest.approx(0.5 / np.abs(SCORES).max())
    moved = SCORES + np.array([0.5, 0], np.float32)[:, None, None]
    assert c.agreement == (moved.argmax(1) == SCORES.argmax(1)).mean() < 1


def test_throughput_is_measured_in_batches():
    rows = last([engine("a", 1.0), engine("b", 0.25)], batch=4).rows
    assert [row.throughput for row in rows] == [1, 4]
    assert [row.seconds.median for row in rows] == [1, 0.25], "the latency is still one image's"


def test_an_engine_that_does_not_start_is_left_out_with_the_reason(monkeypatch):
    bench = last([engine("a", 1.0), engine("broken", 1.0)], left_out=["x: not installed"])
    assert [row.engine for row in bench.rows] == ["a"]
    assert bench.left_out == ("x: not installed", "broken: it does not start")
    with pytest.raises(EngineError, match="does not start"):
        last([engine("broken", 1.0), engine("a", 1.0)])
    monkeypatch.setattr(measure_module, "free_memory", lambda: 1299)
    bench = last([engine("a", 1.0), engine("b", 1.0)])
    assert bench.left_out == ("b: only 1.3 KiB of memory is free",)


def test_every_process_is_closed_if_measuring_is_aborted():
    measuring = measure([engine("a", 1.0), engine("b", 1.0)], IMAGES, rounds=3)
    next(measuring)
    assert not FakeWorker.closed
    measuring.close()
    assert set(FakeWorker.closed) == {"a", "b", "fp32 product"}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_matrix_products_count_a_multiply_add_for_each_row_column_and_sum(
    monkeypatch, precision
):
    monkeypatch.setattr(measure_module, "SIDE", 24)
    started = matrix_product(precision)
    assert started.run(IMAGES) is IMAGES
    assert started.work(IMAGES) == 24**3 and started.precision == precision


def test_the_result_is_json():
    bench = last([engine("a", 1.0, 10)])
    values = bench.as_json()
    assert values["rows"][0]["seconds"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert values["rows"][0]["timings"][0] == {"wall": 1.0, "cpu": 2.0}
    assert {"date", "processor", "cores", "load", "torch"} <= set(values["machine"])


def test_the_peak_is_that_of_the_fastest_kernel():
    now = [0.0]

    def taking(seconds):
        def call():
            now[0] += seconds.pop(0)

        return call

    slow, fast = taking([1, 5, 4, 4]), taking([9, 6, 3, 7])
    assert measure_module.fastest([slow, fast], lambda: now[0]) is fast


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_every_kernel_multiplies_the_same_matrices(monkeypatch, precision):
    found = []
    monkeypatch.setattr(measure_module, "SIDE", 24)
    monkeypatch.setattr(
        measure_module, "fastest", lambda kernels: found.extend(kernels) or found[0]
    )
    matrix_product(precision)
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randint(
        -127, 128, (2, 24, 24), dtype=torch.int8, generator=generator
    ).numpy()
    second = second // 2  # 7 bits, as weights
    expected = first.astype(int) @ second.astype(int)
    products = [np.asarray(kernel()) for kernel in found]
    assert len(products) >= 2
    for product in products:
        # ONNX Runtime's integers have no sign: 128 is added to each of the first matrix.
        shift = 128 * second.astype(int).sum(0) if product.dtype == np.int32 else 0
        assert any(np.array_equal(product - less, expected) for less in (0, shift))

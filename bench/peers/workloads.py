"""The workloads as Python systems run them, over `submit`, `map` and `get`. Each checks its answer."""
import statistics
import time

WARM_UPS = 1
RUNS = 3
THREADS = 2


def identity(x):
    return x


def increment(x):
    return x + 1


def total(values):
    return sum(values)


def add(left, right):
    return left + right


def size_of(record):
    return record["id"] + len(record["text"])


def spin(iterations):
    """A generator of random numbers, each of which needs the one before; with the time that it took."""
    started_at = time.perf_counter()
    number = 1
    for _ in range(iterations):
        number = (number * 1664525 + 1013904223) & 0xFFFFFFFF
    return number, time.perf_counter() - started_at


def measure(system, workload, params):
    """The value of the workload, as the median of several runs."""
    run = WORKLOADS[workload]
    for _ in range(WARM_UPS):
        run(system, params)
    return statistics.median(run(system, params) for _ in range(RUNS))


def noop_map(system, params):
    items = list(range(params["tasks"]))
    started_at = time.perf_counter()
    values = system.get(system.map(identity, items))
    seconds = time.perf_counter() - started_at
    assert values == items
    return len(items) / seconds


def round_trip(system, params):
    latencies = []
    for call in range(params["calls"]):
        started_at = time.perf_counter()
        value = system.get([system.submit(increment, call)])[0]
        latencies.append(time.perf_counter() - started_at)
        assert value == call + 1
    return statistics.median(latencies) * 1000


def merge(system, params):
    tasks = params["tasks"]
    started_at = time.perf_counter()
    parts = system.map(increment, list(range(tasks)))
    value = system.get([system.submit(total, parts)])[0]
    seconds = time.perf_counter() - started_at
    assert value == tasks * (tasks + 1) // 2
    return seconds


def tree(system, params):
    leaves = 2 ** params["depth"]
    started_at = time.perf_counter()
    row = system.map(identity, list(range(leaves)))
    while len(row) > 1:
        row = [system.submit(add, row[i], row[i + 1]) for i in range(0, len(row), 2)]
    value = system.get(row)[0]
    seconds = time.perf_counter() - started_at
    assert value == leaves * (leaves - 1) // 2
    return seconds


def records(system, params):
    items = [{"id": i, "text": "x" * 1000} for i in range(params["records"])]
    started_at = time.perf_counter()
    values = system.get(system.map(size_of, items))
    seconds = time.perf_counter() - started_at
    assert values == [i + 1000 for i in range(len(items))]
    return len(items) / seconds


def cpu_scaling(system, params):
    iterations = 20_000 * params["ms"]
    _, seconds = system.get([system.submit(spin, iterations)])[0]
    iterations = round(iterations * params["ms"] / 1000 / seconds)
    alone = statistics.median(system.get([system.submit(spin, iterations)])[0][1] for _ in range(5))
    started_at = time.perf_counter()
    results = system.get(system.map(spin, [iterations] * params["tasks"]))
    seconds = time.perf_counter() - started_at
    assert len({number for number, _ in results}) == 1
    return alone * params["tasks"] / (THREADS * seconds)


WORKLOADS = {
    "noop-map": noop_map,
    "round-trip": round_trip,
    "merge": merge,
    "tree": tree,
    "records": records,
    "cpu-scaling": cpu_scaling,
}

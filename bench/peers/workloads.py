"""The workloads as Python systems run them, over `submit`, `map` and `get`. Each checks its answer."""
import statistics
import time

RUNS = 3
# Past so many seconds a workload is not run again.
LONG_S = 10
THREADS = 2
MIB = 2**20
GIB = 2**30
WIDTH = 4
# A system that takes a millisecond for a task needs no thousand steps to show it, and no hundred thousand tasks: its rate
# is no lower with fewer.
METG_PART = 10
NOOP_PART = 5
SHORTEST_US = 16
LONGEST_US = 65_536
HALVINGS = 4


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


def split(source, count):
    return [source * count + target for target in range(count)]


def pick(pieces, target):
    return pieces[target]


def cell(iterations, left, middle, right):
    """A place of the stencil: the kernel's number is used, and changes nothing."""
    number, _ = spin(iterations)
    return (left + middle + right) % 1_000_003 + (1 if number == 0.5 else 0)


def make(size):
    return b"x" * size


def measure(system, workload, params):
    """The value of the workload, as the median of several runs: fewer where one takes long, and then the first counts too."""
    run = WORKLOADS[workload]
    started_at = time.perf_counter()
    values = [run(system, params)]
    if time.perf_counter() - started_at < LONG_S:
        values.clear()  # It was to warm up.
    while len(values) < RUNS and (not values or time.perf_counter() - started_at < LONG_S):
        values.append(run(system, params))
    return statistics.median(values)


def noop_map(system, params):
    items = list(range(max(1, params["tasks"] // NOOP_PART)))
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


def shuffle(system, params):
    count = params["partitions"]
    started_at = time.perf_counter()
    sources = [system.submit(split, source, count) for source in range(count)]
    columns = [[system.submit(pick, source, target) for source in sources] for target in range(count)]
    sums = system.get([system.submit(total, column) for column in columns])
    seconds = time.perf_counter() - started_at
    assert sums == [count * (count * (count - 1) // 2 + target) for target in range(count)]
    return seconds


def transfer(system, params):
    size = params["mib"] * MIB
    made = system.submit(make, size)
    system.get([system.submit(len, made)])
    started_at = time.perf_counter()
    length = system.get([system.submit_elsewhere(len, made)])[0]
    seconds = time.perf_counter() - started_at
    assert length == size
    return size / GIB / seconds


def scatter_gather(system, params):
    size = params["mib"] * MIB
    sent = make(size)
    started_at = time.perf_counter()
    length = system.get([system.submit(len, system.scatter(sent))])[0]
    scatter_seconds = time.perf_counter() - started_at
    made = system.submit(make, size)
    assert system.get([system.submit(len, made)])[0] == length == size
    started_at = time.perf_counter()
    received = system.get([made])[0]
    gather_seconds = time.perf_counter() - started_at
    assert received == sent
    return size / GIB / max(scatter_seconds, gather_seconds)


def metg(system, params):
    """What a task costs, in microseconds, when half of the machine's time goes into its kernel; as heddle's is found."""
    steps = max(1, params["steps"] // METG_PART)
    per_us = 200_000 / min(system.get([system.submit(spin, 200_000)])[0][1] for _ in range(5)) / 1e6

    def at(kernel_us):
        iterations = max(1, round(kernel_us * per_us))
        started_at = time.perf_counter()
        row = list(range(1, WIDTH + 1))
        for _ in range(steps):
            padded = [0, *row, 0]
            row = [system.submit(cell, iterations, *padded[place : place + 3]) for place in range(WIDTH)]
        values = system.get(row)
        granularity_us = THREADS * (time.perf_counter() - started_at) * 1e6 / (steps * WIDTH)
        expected = list(range(1, WIDTH + 1))
        for _ in range(steps):
            padded = [0, *expected, 0]
            expected = [cell(0, *padded[place : place + 3]) for place in range(WIDTH)]
        assert values == expected
        return kernel_us, granularity_us

    def is_enough(point):
        return point[0] >= point[1] / 2

    low = high = at(SHORTEST_US)
    while not is_enough(high) and high[0] < LONGEST_US:
        low, high = high, at(high[0] * 4)
    for _ in range(HALVINGS if is_enough(high) and high is not low else 0):
        middle = at((low[0] * high[0]) ** 0.5)
        if is_enough(middle):
            high = middle
        else:
            low = middle
    return high[1]


WORKLOADS = {
    "noop-map": noop_map,
    "round-trip": round_trip,
    "merge": merge,
    "tree": tree,
    "records": records,
    "cpu-scaling": cpu_scaling,
    "shuffle": shuffle,
    "transfer": transfer,
    "scatter-gather": scatter_gather,
    "metg": metg,
}

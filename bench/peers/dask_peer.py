"""The workloads for Dask: a scheduler, and two worker processes of one thread, as heddle is measured.

    python3 dask_peer.py WORKLOAD '{"tasks": 1000}'   prints {"value": ...}
    python3 dask_peer.py --check                      succeeds if Dask is installed
"""
import json
import sys
import time

import dask
from distributed import Client, LocalCluster

from workloads import increment, measure

# Its faster setting: workers are sent all that is ready.
dask.config.set({"distributed.scheduler.worker-saturation": "inf"})


class Dask:
    def __init__(self, client):
        self.client = client

    def submit(self, function, *args):
        return self.client.submit(function, *args, pure=False)

    def map(self, function, items):
        return self.client.map(function, items, pure=False)

    def scatter(self, value):
        return self.client.scatter(value)

    def submit_elsewhere(self, function, future):
        """On the worker that does not hold the value."""
        holders = self.client.who_has(future)[future.key]
        others = [worker for worker in self.client.scheduler_info()["workers"] if worker not in holders]
        return self.client.submit(function, future, pure=False, workers=others)

    def get(self, futures):
        return self.client.gather(futures)


def main():
    if sys.argv[1] == "--check":
        return
    started_at = time.perf_counter()
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            if sys.argv[1] == "startup":
                assert client.submit(increment, 41).result() == 42
                print(json.dumps({"value": time.perf_counter() - started_at}))
                return
            print(json.dumps({"value": measure(Dask(client), sys.argv[1], json.loads(sys.argv[2]))}))


if __name__ == "__main__":
    main()

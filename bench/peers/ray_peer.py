"""The workloads for Ray: one node with two CPUs.

    python3 ray_peer.py WORKLOAD '{"tasks": 1000}'   prints {"value": ...}
    python3 ray_peer.py --check                      succeeds if Ray is installed
"""
import json
import sys
import time

import ray

from workloads import increment, measure


class Ray:
    def __init__(self):
        self.remotes = {}

    def submit(self, function, *args):
        # Ray resolves references that are arguments, and not those in a list.
        if len(args) == 1 and isinstance(args[0], list):
            return self._remote((function, "spread"), lambda *values: function(list(values))).remote(*args[0])
        return self._remote(function, function).remote(*args)

    def map(self, function, items):
        return [self.submit(function, item) for item in items]

    def scatter(self, value):
        return ray.put(value)

    def get(self, futures):
        return ray.get(futures)

    def _remote(self, key, function):
        if key not in self.remotes:
            self.remotes[key] = ray.remote(function)
        return self.remotes[key]


def main():
    if sys.argv[1] == "--check":
        return
    started_at = time.perf_counter()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        if sys.argv[1] == "startup":
            assert ray.get(ray.remote(increment).remote(41)) == 42
            print(json.dumps({"value": time.perf_counter() - started_at}))
            return
        print(json.dumps({"value": measure(Ray(), sys.argv[1], json.loads(sys.argv[2]))}))
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()

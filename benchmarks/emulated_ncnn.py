"""Runs inside an emulated board: ``python emulated_ncnn.py MODEL.param SIDE``; needs ncnn, numpy and edgekit's runner.

Loads the model with weights of zero and the options of ncnn's own benchncnn, and prints what the plugin counted of one
inference on one thread as a line of JSON: of the second, for the first finds empty caches. Of a larger model it is the
first: MobileNet's misses of level 2 differ by less than 0.1 % between the two.
"""

import json
import sys

import ncnn

from edgekit.runner.regions import counted

LARGE = 100_000_000
"""Instructions."""
BLOBS, WORKSPACE = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()


def main(path: str, side: str) -> None:
    net, picture = load(path), ncnn.Mat(int(side), int(side), 3)
    picture.fill(0.01)
    given, wanted = net.input_names(), net.output_names()

    def infer() -> None:
        extractor = net.create_extractor()
        for name in given:
            extractor.input(name, picture)
        for name in wanted:
            extractor.extract(name)

    found = counted(infer)
    if found is not None and found["total"] < LARGE:
        found = counted(infer)
    print(json.dumps(found))


def load(path: str) -> ncnn.Net:
    ncnn.set_omp_dynamic(0)
    ncnn.set_omp_num_threads(1)
    net = ncnn.Net()
    net.opt.lightmode = True
    net.opt.num_threads = 1
    net.opt.blob_allocator = BLOBS
    net.opt.workspace_allocator = WORKSPACE
    net.load_param(path)
    net.load_model(ncnn.DataReaderFromEmpty())
    return net


if __name__ == "__main__":
    main(*sys.argv[1:])

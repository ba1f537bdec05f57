"""Search: which way to a target, with which quantization and how many threads, serves the user's limits best."""

"""The virtual board: a real arm64 kernel under full-system QEMU, reached over ssh like any board."""

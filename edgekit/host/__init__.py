"""The machine edgekit runs on: processor, instruction set, caches, memory, and whether it is fit to measure."""

from edgekit.host.fitness import Fitness, measure_fitness
from edgekit.host.machine import Machine, detect

__all__ = ["Fitness", "Machine", "detect", "measure_fitness"]

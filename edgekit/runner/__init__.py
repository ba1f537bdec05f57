"""Load a bundle on the machine at hand, check its golden pair, run it and measure.

Stands alone: standard library, numpy and one runtime, Python 3.9 or later, nothing of the rest of edgekit. The
folder is copied to a device as it is and started there: ``python -m runner serve BUNDLE``.
"""

"""Before any test module is imported: the libraries that tests load send nothing anywhere, and Ctrl-C reaches them."""

import signal

from edgekit.telemetry import switch_off

switch_off()
# a shell lets what it starts in the background ignore it, and what that starts, too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

"""Real workers that misbehave in every way a vendor's tool can."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from edgekit.catalog_schema import WorkerLimits
from edgekit.conversion.protocol import ConversionReply, ConversionRequest
from edgekit.conversion.workers import Worker, launch
from edgekit.errors import WorkerError

GOOD_REPLY = {
    "artifact": "a.txt",
    "files": ["a.txt"],
    "io": {"inputs": [], "outputs": []},
    "tools": [],
    "notes": [],
}


def request(out_dir: Path) -> ConversionRequest:
    return {
        "source": "unused",
        "io": None,
        "out_dir": str(out_dir),
        "precision": "fp32",
        "options": {},
        "calibration": None,
        "task": "tensor",
        "threads": 1,
    }


class Room:
    """A worker's file, output folder and log."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "worker.py"
        self.out = folder / "out"
        self.out.mkdir()
        self.log = folder / "logs" / "worker.log"

    def run(self, code: str, *, timeout_s: int = 60, memory_bytes: int = 2**30) -> ConversionReply:
        self.file.write_text(textwrap.dedent(code))
        limits = WorkerLimits(timeout_s=timeout_s, memory_bytes=memory_bytes)
        worker = Worker(name="tool", python=Path(sys.executable), file=self.file, limits=limits)
        return launch(worker, request(self.out), log=self.log)

    def failure(self, code: str, **limits: int) -> str:
        with pytest.raises(WorkerError) as caught:
            self.run(code, **limits)
        message = str(caught.value)
        assert "\n" not in message
        assert str(self.log) in message
        return message


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def facts(room: Room, expression: str) -> str:
    """What ``expression`` is inside a worker."""
    reply = room.run(f"""
        import json, os, pathlib, sys
        def convert(request):
            pathlib.Path(request["out_dir"], "a.txt").touch()
            return {{**{GOOD_REPLY}, "notes": [json.dumps({expression})]}}
    """)
    return str(json.loads(reply["notes"][0]))


def test_a_good_worker_answers(room: Room) -> None:
    reply = room.run(f"""
        from pathlib import Path
        def convert(request):
            Path(request["out_dir"], "a.txt").write_text("made")
            return {GOOD_REPLY}
    """)
    assert reply["files"] == ["a.txt"]
    assert (room.out / "a.txt").read_text() == "made"


def test_what_it_prints_is_logged_and_never_taken_for_the_answer(room: Room) -> None:
    room.run(rf"""
        import os, pathlib, sys
        def convert(request):
            print('{{"error": "not one"}}')
            os.write(1, b"\xff native noise\n")
            print("warned", file=sys.stderr)
            pathlib.Path(request["out_dir"], "a.txt").touch()
            return {GOOD_REPLY}
    """)
    log = room.log.read_bytes()
    assert b"native noise" in log
    assert b"warned" in log


def test_packages_are_compiled_once_and_what_is_beside_the_worker_never(room: Room, tmp_path: Path) -> None:
    """A file that is edited twice in a second would be run as it was before."""
    installed, beside = tmp_path / "installed", room.file.with_name("beside.py")
    installed.mkdir()
    for path in (installed / "package.py", beside):
        path.write_text("")
    code = f"""
        import sys
        sys.path.append({str(installed)!r})
        import beside, package
        def convert(request):
            raise ValueError("seen")
    """
    assert "seen" in room.failure(code)
    assert list(installed.rglob("package.*.pyc"))
    assert not list(room.file.parent.glob("__pycache__/*"))


def test_exception(room: Room) -> None:
    message = room.failure("def convert(request): raise ValueError('no kernel for\\n Frob')")
    assert message.startswith("converter 'tool': ValueError: no kernel for Frob. ")
    assert "Traceback" in room.log.read_text()


def test_missing_package(room: Room) -> None:
    assert "ModuleNotFoundError" in room.failure("import no_such_package")


def test_segmentation_fault(room: Room) -> None:
    assert "crashed (SIGSEGV)" in room.failure("""
        import ctypes
        def convert(request): ctypes.string_at(0)
    """)


def test_abort(room: Room) -> None:
    assert "crashed (SIGABRT)" in room.failure("import os\ndef convert(request): os.abort()")


def test_hanging_worker_is_stopped_with_its_children(room: Room) -> None:
    pids = room.out.parent / "pids"
    message = room.failure(
        f"""
        import os, pathlib, subprocess, sys, threading
        def convert(request):
            child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
            pathlib.Path({str(pids)!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
            threading.Event().wait()
        """,
        timeout_s=2,
    )
    assert "did not finish within 2 s" in message
    both = {int(pid) for pid in pids.read_text().split()}
    left = [process for process in psutil.process_iter() if process.pid in both]
    # the child is another's by now: all that can be waited for is that it goes
    assert psutil.wait_procs(left, timeout=10)[1] == []


def test_memory_hog(room: Room) -> None:
    message = room.failure("def convert(request): bytearray(1 << 30)", memory_bytes=2**28)
    assert "ran out of its 0.2 GiB of memory" in message


def test_memory_hog_in_native_code(room: Room) -> None:
    message = room.failure(
        """
        import numpy
        def convert(request): return [numpy.ones(1 << 22) for _ in range(1000)]
        """,
        memory_bytes=2**28,
    )
    assert "ran out of its 0.2 GiB of memory" in message


def test_an_earlier_failure_in_the_same_log_is_not_blamed_on_this_one(room: Room) -> None:
    room.failure("def convert(request): bytearray(1 << 30)", memory_bytes=2**28)
    assert "crashed (SIGABRT)" in room.failure("import os\ndef convert(request): os.abort()")


def test_killed_from_outside(room: Room) -> None:
    assert "was killed" in room.failure("import os\ndef convert(request): os.kill(os.getpid(), 9)")


@pytest.mark.parametrize("status", [0, 7])
def test_silent_exit(room: Room, status: int) -> None:
    message = room.failure(f"import os\ndef convert(request): os._exit({status})")
    assert f"ended with status {status} without an answer" in message


def test_sys_exit(room: Room) -> None:
    assert "SystemExit: gone" in room.failure("import sys\ndef convert(request): sys.exit('gone')")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"files": ["../escape.txt", "a.txt"]}, "'../escape.txt' lies outside the output folder"),
        ({"files": ["/etc/passwd", "a.txt"]}, "'/etc/passwd' lies outside the output folder"),
        ({"files": ["a.txt", "b.txt"]}, "'b.txt' was not written"),
        ({"files": ["a.txt", "link"]}, "'link' lies outside the output folder"),
        ({"artifact": "b.txt"}, "'b.txt' is the artifact, but not among the files"),
        ({"notse": []}, "notse: unknown key; did you mean 'notes'?"),
        ({"io": {"inputs": []}}, "io.outputs: missing"),
        ({"notes": [{1, 2}]}, "TypeError"),
    ],
)
def test_wrong_reply(room: Room, change: dict[str, object], words: str) -> None:
    assert words in room.failure(f"""
        from pathlib import Path
        def convert(request):
            out = Path(request["out_dir"])
            (out / "a.txt").touch()
            (out / "link").symlink_to("/etc/hostname")
            return {{**{GOOD_REPLY}, **{change}}}
    """)


def test_reply_that_is_no_table(room: Room) -> None:
    assert "the worker's reply" in room.failure("def convert(request): return 3")


def test_environment_is_scrubbed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "secret")
    environment = facts(room, "dict(os.environ)")
    assert "secret" not in environment
    assert "'ORT_DISABLE_TELEMETRY': '1'" in environment
    assert "'PYTHONHASHSEED': '0'" in environment


def test_home_and_temporary_folder_are_its_own_and_go_away(room: Room) -> None:
    home = facts(room, "str(pathlib.Path.home())")
    assert home != str(Path.home())
    assert not Path(home).exists()
    assert facts(room, "pathlib.Path.home().joinpath('intel/openvino_telemetry').read_text()") == "0"
    temporary = facts(room, "__import__('tempfile').mkdtemp()")
    assert not Path(temporary).exists()


def test_helpers_beside_the_worker_can_be_imported(room: Room) -> None:
    room.file.with_name("helper.py").write_text("value = 'helped'")
    assert facts(room, "__import__('helper').value") == "helped"


def test_the_engine_s_own_modules_cannot_be_imported_by_their_bare_names(room: Room) -> None:
    assert facts(room, "__import__('importlib.util').util.find_spec('replies') is None") == "True"


PARENT = """
import json, pathlib, sys
from edgekit.catalog_schema import WorkerLimits
from edgekit.conversion.workers import Worker, launch

file, request = json.loads(sys.argv[1])
limits = WorkerLimits(timeout_s=60, memory_bytes=1 << 30)
worker = Worker(name="tool", python=pathlib.Path(sys.executable), file=pathlib.Path(file), limits=limits)
launch(worker, request, log=pathlib.Path("/dev/stdout"))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda how: how.name)
def test_worker_ends_with_its_parent(room: Room, how: signal.Signals) -> None:
    """Ctrl-C, or edgekit killed outright: no worker may go on in the background."""
    room.file.write_text(
        "import os, threading\n"
        "def convert(request):\n"
        "    print(os.getpid(), flush=True)\n"
        "    threading.Event().wait()\n"
    )
    arguments = [sys.executable, "-c", PARENT, json.dumps([str(room.file), request(room.out)])]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(how)
        parent.communicate(timeout=30)
    psutil.wait_procs([worker], timeout=20)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE

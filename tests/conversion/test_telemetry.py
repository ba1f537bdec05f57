"""Nothing that edgekit starts calls anywhere or keeps ids to send: strace watches connections and new files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.conversion.environments import environment_python, environment_state
from edgekit.paths import cache_dir
from edgekit.telemetry import SWITCHED_OFF
from tests.conversion.stripes import write_classifier, write_images
from tests.converters.steps import CONVERTERS, load_converter, need_environment

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: apt-get install strace"
)

ROOT = Path(__file__).parents[2]
# sin_addr=inet_addr("1.2.3.4"), inet_pton(AF_INET6, "::1", …)
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
CREATED = re.compile(r'openat\([^"]*"([^"]+)"[^)]*O_CREAT')
# onnxruntime: an id, a store of events to send, a session; openvino_telemetry: a client id
KEPT = re.compile(r"DeveloperTools|deviceid|onnxruntime\.db|\.ses$|_cid$|opentelemetry")
WORKER = """
import os, pathlib, sys
from edgekit.telemetry import SWITCHED_OFF
os.environ.update(SWITCHED_OFF)  # the tests' own use of the runtimes; workers get an environment of their own
from tests.converters.steps import Steps, load_converter
steps = Steps({model!r}, pathlib.Path(sys.argv[1]))
for name in SWITCHED_OFF:
    del os.environ[name]
converter = load_converter({converter!r})
variant = next(v for v in converter.variants if (v.precision, v.name) == {variant!r})
steps.convert(converter, variant)
"""
PATIENCE_S = 1200
"""Where other work takes the machine, a conversion takes ten times as long as on an idle one."""
EDGEKIT = "import sys; from edgekit.cli.main import main; sys.argv[0] = 'edgekit'; main()"


def noticed(folder: Path, code: str, *arguments: str) -> set[str]:
    """What ``code`` and all it starts tried to reach beyond this machine, and the ids and events they kept."""
    home, trace = folder / "home", folder / "trace"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(home)}
    for name in (*SWITCHED_OFF, "XDG_CACHE_HOME", "CI"):  # edgekit itself has to switch off
        environment.pop(name, None)
    # with --seccomp-bpf the kernel stops at these calls alone: what is watched runs nearly as fast as by itself
    watch = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", str(trace)]
    watch += ["-e", "trace=connect,sendto,sendmsg,openat"]
    done = subprocess.run(
        [*watch, sys.executable, "-c", code, *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    calls = trace.read_text()
    addresses = {first or second for first, second in ADDRESS.findall(calls)}
    files = {Path(name).name for name in CREATED.findall(calls) if KEPT.search(name)}
    return {address for address in addresses if not address.startswith("127.") and address != "::1"} | files


def test_calls_and_ids_would_be_noticed(tmp_path: Path) -> None:
    """192.0.2.1 is for documentation and leads nowhere."""
    inner = (
        "import pathlib, socket; pathlib.Path.home().joinpath('deviceid').touch();"
        "s = socket.socket(); s.settimeout(.01); s.connect_ex(('192.0.2.1', 443))"
    )
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    assert noticed(tmp_path, code) == {"192.0.2.1", "deviceid"}


@pytest.mark.parametrize(
    ("converter", "variant", "model"),
    [
        ("onnxruntime", ("int8", ""), "tiny_cnn"),  # edgekit's own quantization as well
        ("onnxruntime", ("int8-dynamic", ""), "tiny_bert"),
        ("openvino", ("int8", "nncf"), "tiny_cnn"),
        ("litert", ("int8", ""), "tiny_cnn"),
    ],
    ids=lambda value: "-".join(filter(None, value)) if isinstance(value, tuple) else str(value),
)
@pytest.mark.slow
def test_workers(converter: str, variant: tuple[str, str], model: str, tmp_path: Path) -> None:
    code = WORKER.format(converter=converter, variant=variant, model=model)
    assert noticed(tmp_path, code, str(tmp_path / "steps")) == set()


@pytest.mark.network
@pytest.mark.slow
def test_worker_in_an_isolated_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_environment(load_converter("onnx2tf"))
    environment_python(load_converter("onnx2tf"), CONVERTERS / "onnx2tf")  # making it does call: a registry
    monkeypatch.setenv("EDGEKIT_CACHE", str(cache_dir()))
    code = WORKER.format(converter="onnx2tf", variant=("fp32", ""), model="tiny_cnn")
    assert noticed(tmp_path, code, str(tmp_path / "steps")) == set()


@pytest.mark.slow
def test_doctor(tmp_path: Path) -> None:
    assert noticed(tmp_path, EDGEKIT, "doctor", "--json") == set()


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnx", "openvino", "litert"])
def test_profile(runtime: str, tmp_path: Path) -> None:
    from tests.runner import bundles

    bundle = getattr(bundles, f"{runtime}_bundle")(tmp_path / "model.edgekit")
    arguments = ("profile", str(bundle), "--runs", "5", "--json")
    assert noticed(tmp_path, EDGEKIT, *arguments) == set()


@pytest.mark.slow
def test_models_get(tmp_path: Path) -> None:
    """One that comes with edgekit; for the others a registry is asked, by pip, which has no telemetry."""
    assert noticed(tmp_path, EDGEKIT, "models", "get", "ghostnet-fashion-mnist", "--json") == set()


@pytest.mark.network
@pytest.mark.slow
def test_convert_and_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of it: every converter that runs here, samples, timing, the bundle, and its check."""
    cache = tmp_path / "cache"  # of steps: a new one, so that every worker really runs
    cache.mkdir()
    if environment_state(load_converter("onnx2tf"), CONVERTERS / "onnx2tf").ready:
        environment_python(
            load_converter("onnx2tf"), CONVERTERS / "onnx2tf"
        )  # making it does call: a registry
        (cache / "environments").symlink_to(cache_dir() / "environments")
    monkeypatch.setenv("EDGEKIT_CACHE", str(cache))
    model = write_classifier(tmp_path / "model", width=8)
    write_images(tmp_path / "photos", 8, seed=5, labelled=False)
    arguments = ["-t", "host", "--calib", str(tmp_path / "photos"), "-o", str(tmp_path), "--json"]
    arguments += ["--effort", "fast"]
    (tmp_path / "convert").mkdir()
    assert noticed(tmp_path / "convert", EDGEKIT, "convert", str(model), *arguments) == set()
    (tmp_path / "verify").mkdir()
    bundle = tmp_path / "stripes-host.edgekit"
    assert noticed(tmp_path / "verify", EDGEKIT, "verify", str(bundle), "--model", str(model)) == set()

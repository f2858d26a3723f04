"""The runtime knows nothing of TensorFlow, nor of the parts that need it."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import hemline

ROOT = Path(hemline.__file__).parent
HEAVY = (
    "tensorflow keras hemline_convert hemline_train onnx tf2onnx ai_edge_quantizer matplotlib PIL"
)
BACKENDS = "ai_edge_litert tflite_runtime onnxruntime"
EXTRAS = "tornado paho"


def test_every_module_imports_where_only_numpy_and_opencv_are():
    program = """
        import importlib, pkgutil, sys
        blocked = set(sys.argv[1:])
        class Blocker:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in blocked:
                    raise AssertionError(f"{name} is imported")
        sys.meta_path.insert(0, Blocker())
        import hemline
        # The first runs the command line; the others are the server that is loaded for --serve alone.
        web = [f"hemline.web.{name}" for name in "classify guarded handlers seats server".split()]
        own = ["hemline.__main__", *web]
        names = [m.name for m in pkgutil.walk_packages(hemline.__path__, "hemline.")]
        for name in names:
            if name not in own:
                importlib.import_module(name)
        print(len(names))
    """
    absent = " ".join((HEAVY, BACKENDS, EXTRAS)).split()
    command = [sys.executable, "-c", textwrap.dedent(program), *absent]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30


def test_no_source_of_the_runtime_imports_a_heavy_package():
    statement = re.compile(rf"^\s*(?:import|from)\s+({'|'.join(HEAVY.split())})\b", re.MULTILINE)
    found = [
        f"{path.relative_to(ROOT)}: {match[0].strip()}"
        for path in sorted(ROOT.rglob("*.py"))
        for match in statement.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_importing_hemline_imports_neither_numpy_nor_opencv():
    program = "import hemline, sys; print(sorted({'numpy', 'cv2', 'tqdm'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_a_first_label_imports_nothing_that_it_can_do_without(garments):
    program = """
        import sys
        from hemline.cli import main
        status = main(["classify", sys.argv[1]])
        spared = "pathlib zipfile shutil csv glob threading tempfile concurrent.futures tqdm"
        print(status, sorted(set(spared.split()) & set(sys.modules)))
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(garments[0])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "0 []", done.stdout + done.stderr

"""What reading a data set must not wait for."""

import subprocess
import sys

HEAVY = ("cv2", "jinja2", "matplotlib", "scipy", "sklearn", "torch")


def test_importing_data_loads_nothing_that_only_some_of_it_needs():
    program = f"import sys, lentigo.data; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""docs/tutorial.ipynb runs from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "docs" / "tutorial.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tutorial")))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path_factory.mktemp("jupyter")))
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return notebook


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [o for cell in notebook.cells for o in cell.get("outputs", [])]


def printed(notebook: nbformat.NotebookNode) -> str:
    return "".join(o.text for o in outputs(notebook) if o.output_type == "stream" and o.name == "stdout")


def test_the_tutorial_runs(executed):
    text = printed(executed)
    assert "<Records synthetic: " in text
    assert "0 lesions lie in both" in text
    assert "a clinician" in text


def test_the_metrics_are_shown_with_intervals(executed):
    tables = [
        o.data["text/markdown"]
        for c in executed.cells
        for o in c.get("outputs", [])
        if "text/markdown" in o.get("data", {})
    ]
    assert "| Balanced accuracy |" in tables[0] and "95% intervals" in tables[0]


def test_it_ends_with_a_heat_map(executed):
    pictures = [o for o in executed.cells[-2].outputs if "image/png" in o.get("data", {})]
    assert pictures


def test_it_is_kept_without_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not [c for c in cells if c.get("outputs") or c.get("execution_count")]

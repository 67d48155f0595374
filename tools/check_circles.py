"""No circle of imports in lentigo, those inside functions included: `python tools/check_circles.py`.

Imports for types alone are left out: they run in no program.
"""

import sys
from graphlib import CycleError, TopologicalSorter

import grimp


def main() -> None:
    """Stop with the circle, if there is one."""
    graph = grimp.build_graph("lentigo", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        sys.exit(f"A circle of imports: {' <- '.join(error.args[1])}. Move what both need below both.")


if __name__ == "__main__":
    main()

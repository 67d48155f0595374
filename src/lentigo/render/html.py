"""Pages of HTML, from templates that stand beside the code that fills them."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["fill"]


def fill(
    package: str,
    template: str,
    *,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    tests: Mapping[str, Callable[..., bool]] | None = None,
    **content: object,
) -> str:
    """Fill a template; whatever is put in is escaped, and every name in it must be given.

    Args:
        package: where the template lies, such as 'lentigo.report'.
        template: its file name in the package's folder `templates`.
        filters, tests: further ones of the template's own.
        content: what its names stand for.
    """
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(filters or {})
    environment.tests.update(tests or {})
    return environment.get_template(template).render(**content)

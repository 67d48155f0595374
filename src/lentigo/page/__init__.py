"""The page: a bundle as one HTML file that classifies images in a browser, offline.

>>> from lentigo import page
>>> page.write_page("lentigo-s", "page.html")
"""

from lentigo.page.browser import Page
from lentigo.page.engine import operators
from lentigo.page.report import report_html
from lentigo.page.writing import ENGINES, write_page

__all__ = ["ENGINES", "Page", "operators", "report_html", "write_page"]

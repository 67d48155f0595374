"""How results are shown: Markdown tables, HTML pages, plots, thumbnails. It knows no result."""

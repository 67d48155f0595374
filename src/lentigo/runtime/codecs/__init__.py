"""One reader a format: from the bytes of a file to a loaded Pillow image whose colours and depth are stated.

Each reader checks what Pillow passes over (checksums, missing pieces, scans that never came) and refuses what its
format leaves open. Pillow's classes are called directly, chosen by the first bytes: no other format can be reached.
"""

from lentigo.runtime.codecs.dicom import is_dicom_heatmap, read_dicom
from lentigo.runtime.codecs.jpeg import read_jpeg
from lentigo.runtime.codecs.png import read_png
from lentigo.runtime.codecs.simple import read_bmp, read_gif, read_webp
from lentigo.runtime.codecs.tiff import read_tiff

__all__ = ["is_dicom_heatmap", "read_bmp", "read_dicom", "read_gif", "read_jpeg", "read_png", "read_tiff", "read_webp"]

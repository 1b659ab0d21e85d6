"""What is printed on paper: one description of a sheet in millimetres, drawn as SVG, PNG or PDF.

Posters and PIN slips say what stands where; this package knows fonts and file formats, and nothing of either.
"""

from __future__ import annotations

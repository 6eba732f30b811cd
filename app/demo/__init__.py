"""The demo: three small projects, ready to look at, on sentences written for it in English and Chinese."""

from app.demo.content import PROJECTS, DemoProject, DemoRow, read_rolesets, read_rows

__all__ = ["PROJECTS", "DemoProject", "DemoRow", "read_rolesets", "read_rows"]

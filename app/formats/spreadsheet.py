"""CSV that people open in a spreadsheet, which takes some cells for formulas and runs them."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def safe_cell(value: object) -> object:
    """The cell; a text that a spreadsheet would run gets an apostrophe before it, which makes it a text there."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

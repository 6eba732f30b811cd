"""`python -m app.cli` is `annotune`."""

from app.cli import main

main()

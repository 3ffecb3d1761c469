"""`python -m casa`: the command line, for launchers that take a module (`torchrun -m casa train RECIPE`)."""

from __future__ import annotations

from casa.cli import main

main()

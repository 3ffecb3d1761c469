"""A page to try a CASA model by hand: without and with CASA, side by side, under attack, and what the decision looked at."""

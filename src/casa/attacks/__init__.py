"""Attacks: seeded functions from samples to samples."""

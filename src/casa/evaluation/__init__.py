"""Measures what a defence changes."""

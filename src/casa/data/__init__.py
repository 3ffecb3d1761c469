"""Data that is shipped with the package: queries, templates, demo prompts."""

"""Pages for people: rating answers."""

"""Attacks: pure functions that turn a query into the conversation an attacker would send."""

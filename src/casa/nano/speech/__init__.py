"""Clips of synthetic speech that casa-nano's audio projection is trained on."""

"""Damage by the camera, the scanner, the printer and the file."""

"""Damage to the surface: cracks, losses, scratches, tears, dust."""

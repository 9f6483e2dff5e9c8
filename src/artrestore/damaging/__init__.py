"""Damaging folders of clear pictures, so that a network can be trained or measured on pairs."""

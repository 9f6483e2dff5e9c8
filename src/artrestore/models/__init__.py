"""Architectures, the registry that names them, devices, and loading trained models."""

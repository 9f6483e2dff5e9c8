"""Damage by light, air, water and what lives on paper."""

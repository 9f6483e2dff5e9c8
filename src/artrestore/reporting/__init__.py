"""Pictures of results: grids, contact sheets, plots; made from plain values."""

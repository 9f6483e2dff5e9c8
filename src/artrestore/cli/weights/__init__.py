"""`artrestore weights ...`: what there is, fetching it, and giving it to others."""

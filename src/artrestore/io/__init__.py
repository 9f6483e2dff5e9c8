"""Files in and out: pictures, weight files, tables, atomic writes, the places where things are kept."""

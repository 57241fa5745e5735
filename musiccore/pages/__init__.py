"""HTML and SVG: song page, round page, tree."""

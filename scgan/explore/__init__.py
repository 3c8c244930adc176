"""The command ``scgan explore``: a local page on which a run is drawn from by hand."""

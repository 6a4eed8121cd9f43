"""One file for each shape of sequence problem."""

"""Method code as the lab keeps it: immutable trees of text files, named by their content."""

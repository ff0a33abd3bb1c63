"""What comes with the project: the embedded data set and study, and the tools that made them."""

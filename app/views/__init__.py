"""The pages, one module each, each with one function `show(selection)`."""

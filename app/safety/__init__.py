"""What comes from outside is not trusted: uploads, addresses, names, imported tables. One module a kind."""

"""The commands of `isp`, thin: they read options, call the package and print."""

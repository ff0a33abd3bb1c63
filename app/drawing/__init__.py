"""Arrays and tables turned into bytes and markup: sprites, sheets, spark lines, downloads."""

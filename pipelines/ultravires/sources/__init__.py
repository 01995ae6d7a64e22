"""Log sources: one package a vendor, one file a log, which defines SOURCE."""

"""Image data sets, held in memory as bytes: one base, one file a data set."""

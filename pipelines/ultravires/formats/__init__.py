"""File formats that belong to no vendor: archives, compression, Parquet, CSV, OTLP."""

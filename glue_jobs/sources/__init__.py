"""The source database: one snapshot, what is new in it, rows typed by contract."""

"""The warehouse load: the star zone's changes into PostgreSQL, all tables of a batch or none."""

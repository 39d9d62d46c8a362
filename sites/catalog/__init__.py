"""The catalogue site: what tables, columns and questions mean, from contracts and what the lake says."""

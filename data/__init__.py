"""Small committed inputs of kinetlib: published tables and released networks."""

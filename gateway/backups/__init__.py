"""Backups: the database and the secrets in one file, and back."""

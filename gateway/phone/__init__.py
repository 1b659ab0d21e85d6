"""Tier 2: private phones that follow the link on the poster."""

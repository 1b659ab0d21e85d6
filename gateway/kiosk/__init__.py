"""Tier 1: signed requests of enrolled wall terminals."""

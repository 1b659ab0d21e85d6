"""Tests of what deploy/ holds: real proxies, and files read as their programs read them."""

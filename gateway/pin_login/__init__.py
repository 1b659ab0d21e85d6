"""What both tiers share: guard, then hash, then session."""

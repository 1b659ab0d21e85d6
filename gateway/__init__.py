"""The gateway: HTTP and the rules of both trust tiers.

Domain packages hold the rules, ``http`` holds what every route shares, and only ``gateway.app`` builds services.
"""

"""Terminals: enrolment, approval and their lifecycle."""

from __future__ import annotations

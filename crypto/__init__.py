"""Functions over bytes and keys: what a signature, a nonce, a PIN record or a token is.

Nothing here knows a database, a request handler or the clock; time and randomness are arguments. The one module that
touches a disk is `crypto.secrets_file`.
"""

from __future__ import annotations

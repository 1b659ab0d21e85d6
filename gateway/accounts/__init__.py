"""People with an e-mail login: registering, signing in, their sessions and roles."""

"""The console: server-rendered pages over the same services as the interface, for people with an e-mail login."""

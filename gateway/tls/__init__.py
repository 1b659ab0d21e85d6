"""TLS where no proxy does it: a certificate taken up anew when its files change, and one for a trial in a LAN."""

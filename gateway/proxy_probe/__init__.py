"""What the gateway saw of a request, told to `stampgate doctor proxy` alone: a proxy changes requests unseen."""

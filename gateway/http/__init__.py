"""What every route shares: problems, request bodies, client addresses, the outer middleware, OpenAPI, health."""

"""What must last (SQL, in this package's modules: one aggregate each) and what may expire (`storage.ephemeral`)."""

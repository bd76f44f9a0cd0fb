"""How much memory a recipe takes, found out before it runs: what `nanovlms plan` does."""

"""`hemline search`: sizes and recipes of residual and dense networks, tried within limits."""
